"""What mails with links that confirm, sign in or reset say, and what other links say, by language.

Every pattern is bounded; they are searched in short stretches of text only (see ``link``).
"""
# ruff: noqa: E501 - tables of words

from __future__ import annotations

import re
from collections.abc import Iterable

_ACTION = {
    "en": r"(?:verif(?:y|ication|ied)|confirm(?:ation)?|activat(?:e|ion)|validate"
    r"|authenticate)(?:\s(?:of|your|my|this|the|new|that))*"
    r"\s(?:new\s)?(?:[\w.-]{1,20}\s)?(?:e-?mail|account|address|identity|registration|subscription"
    r"|sign-?\s?up|log-?\s?in|sign-?\s?in|device"
    r"|profile|membership|newsletter|link)"
    r"|(?:reset|recover|change|set|create|choose)(?:\s(?:up|your|my|a|the|new))*\s?password"
    r"|password\sreset|link\sto\s(?:sign|log)[\s-]?in|magic\s(?:sign-?\s?in\s|log-?\s?in\s)?link"
    r"|(?:sign|log)[\s-]?in\s?(?:link|url)|(?:one|single)-?\s?(?:time|use)\s(?:[\w-]{1,10}\s)?link"
    r"|(?:click|tap|follow|use|open|press).{1,60}?\bto\s(?:sign|log)\s?in|(?:complete"
    r"|finish)(?:\syour)?\s(?:registration|sign-?\s?up|signing\sup"
    r"|account)|accept\s(?:the\s|your\s|this\s)?invit|join\sthe\s(?:team|workspace)|yes,?\sit(?:['’]s"
    r"|\swas)\sme|unlock\s(?:my|your)\saccount",
    "de": r"e-?mail(?:-?adresse)?\s(?:jetzt\s)?(?:bestätigen|verifizieren)|(?:konto|registrierung"
    r"|anmeldung|adresse|account|newsletter|newsletteranmeldung)"
    r"\s(?:jetzt\s)?(?:bestätigen|aktivieren|verifizieren|abschließen|freischalten)"
    r"|passwort\s(?:jetzt\s)?(?:zurücksetzen|ändern|festlegen|vergeben)"
    r"|kennwort\szurücksetzen|anmeldelink|einladung\sannehmen|bestätigen\ssie\s(?:bitte\s)?ihre"
    r"|bestätige\s(?:bitte\s)?deine|bestätigungslink",
    "fr": r"(?:confirm|vérifi|valid|activ)(?:er|ez|e)\s(?:mon|votre|ton|l['’]|mes|vos|le"
    r"|la)\s?(?:adresse|e-?mail|compte|inscription|abonnement|courriel|identité)"
    r"|réinitialis(?:er|ez|ation)\s.{0,20}mot\sde\spasse|lien\s(?:de\sconnexion|magique"
    r"|de\sconfirmation|d['’]activation)|accepter\sl['’]invitation",
    "es": r"(?:confirm|verific|activ|valid)(?:ar|a|e|ación)\s(?:de\s)?(?:mi|tu|su|el|la)\s?(?:correo"
    r"|e-?mail|cuenta|dirección|registro|suscripción|identidad)"
    r"|(?:restablec|cambi|recuper)\w{1,6}\s(?:mi|tu|su|la)?\s?contraseña|enlace\s(?:mágico"
    r"|de\s(?:acceso|inicio|verificación|confirmación))|aceptar\s(?:la\s)?invitación",
    "pt": r"(?:confirm|verific|ativ|valid)(?:ar|e|a)\s(?:o\s|a\s)?(?:meu|minha|seu|sua|teu"
    r"|tua)?\s?(?:e-?mail|conta|endereço|cadastro|inscrição|registo)"
    r"|(?:redefin|alter|recuper)\w{1,4}\s(?:a\s|sua\s|minha\s)?senha|link\s(?:mágico|de\sacesso)"
    r"|aceitar\s(?:o\s)?convite",
    "it": r"(?:conferma|verifica|attiva|convalida)(?:re)?\s(?:il\s|la\s|l['’])?(?:tuo|tua|suo"
    r"|mio)?\s?(?:indirizzo|e-?mail|account|iscrizione|registrazione)"
    r"|(?:reimposta|reimpostare|cambia|ripristina)\s(?:la\s)?(?:tua\s)?password|link\s(?:magico"
    r"|di\saccesso)|accetta\sl['’]invito",
    "nl": r"(?:bevestig|verifieer|activeer)\s(?:je|uw|jouw|mijn)?\s?(?:e-?mail\w*|account|inschrijving"
    r"|aanmelding|registratie)|wachtwoord\s(?:opnieuw\sinstellen|resetten|wijzigen|herstellen)"
    r"|uitnodiging\saccepteren",
    "pl": r"(?:potwierdź|zweryfikuj|aktywuj)\s(?:swój\s|swoje\s)?(?:adres|e-?mail|konto|rejestrację"
    r"|subskrypcję)|(?:zresetuj|ustaw|zmień)\s(?:nowe\s)?hasło",
    "cs": r"(?:potvrď?\w{0,4}|potvrdi\w{1,2}|ověř\w{0,4}|over\w{0,4}|aktivov\w{1,3})\s(?:svou|svůj|svoj\w?|můj|účet|e-?mail\w*)(?:\s(?:e-?mail\w*|účet|adresu))*"
    r"|(?:obnov\w{2,5}|obnovit|změn\w{1,4}|zmen\w{1,4}|nastav\w{1,5})\s(?:nové\s|svoje\s)?hesl[ao]|přihlašovací\sodkaz|prihlasovací\sodkaz",
    "nordic": r"(?:bekräfta|verifiera|aktivera|bekræft|verificer|aktiver|bekreft|verifiser)\s(?:din\s|ditt\s|dit\s)?(?:e-?post\w*|e-?mail\w*|konto\w*|adress\w*|registrering|anmälan|tilmelding)"
    r"|(?:återställ|byt|ändra|nulstil|skift|tilbakestill|endre|bytt)\s(?:ditt\s|din\s|dit\s)?(?:lösenord\w*|adgangskode\w*|passord\w*|kodeord)"
    r"|(?:inloggnings|innloggings|login-?)(?:länk|lenke|link)\w*|(?:lösenord|adgangskode|passord)(?:s)?återställning",
    "fi": r"(?:vahvista|aktivoi|varmenna)\s(?:sähköposti\w*|tili\w*|osoit\w*|tilaukse\w*|rekisteröinti\w*)|(?:vaihda|palauta|nollaa)\s(?:salasana\w*)"
    r"|salasanan\s(?:vaihto|palautus|nollaus)|kirjautumislinkki\w*",
    "hu": r"(?:erősítsd|erősítse)\smeg|e-?mail-?cím\w*\s(?:meg)?erősít\w*|fiók\w*\s(?:aktiválás|megerősít)\w*|(?:új\s)?jelszó\s(?:visszaállítás|megadás|módosítás|beállítás)\w*|bejelentkezési\slink",
    "ro": r"(?:confirmă|confirmați|confirma|verifică|verificați|activează|activați)\s(?:adresa|e-?mail\w*|contul|înregistrarea|abonarea)"
    r"|(?:resetează|resetați|resetarea|schimbă|setează)\sparol\w+|link\sde\sconectare",
    "tr": r"(?:e-?posta\w*|hesab\w*|adres\w*|üyeli\w*|kayd\w*)(?:\s\w{1,15})?\s(?:doğrula|onayla|etkinleştir)\w*|(?:şifre|parola)\w{0,4}\s(?:sıfırla|değiştir|yenile)\w*|giriş\sbağlantı\w*",
    "vi": r"(?:xác\s(?:minh|nhận|thực)|kích\shoạt)\s(?:địa\schỉ\s)?(?:email|tài\skhoản|địa\schỉ|đăng\ský)|(?:đặt\slại|đổi|khôi\sphục)\smật\skhẩu|liên\skết\sđăng\snhập",
    "id": r"(?:verifikasi|konfirmasi|aktifkan)\s(?:alamat\s)?(?:email|akun|alamat|pendaftaran|e-?mel)|(?:atur\sulang|ubah|reset|setel\sulang)\s(?:kata\ssandi|kata\slaluan|password)|tautan\smasuk|sahkan\se-?mel",
    "uk": r"підтверд\w{1,6}\s(?:свою\s|вашу\s|електронну\s)?(?:адрес|e-?mail|пошт|акаунт|обліков|реєстрац|підписк)|(?:скинути|скидання|відновити|змінити)\sпарол|посилання\sдля\sвходу",
    "el": r"(?:επιβεβαιώσ\w+|επιβεβαίωσ\w+|επαλήθευσ\w+|επαληθεύσ\w+|ενεργοποι\w+)\s(?:το\s|τη\s|την\s|τον\s|του\s)?(?:e-?mail|διεύθυνσ\w*|λογαριασμ\w*|εγγραφ\w*)|επαναφορά\s(?:του\s)?κωδικού|σύνδεσμος\sεισόδου",
    "ar": r"(?:تأكيد|تاكيد|تفعيل|التحقق\sمن|أكد|فعّل|تنشيط)\s(?:عنوان\s)?(?:ال)?(?:بريد|حساب|عنوان|تسجيل|اشتراك)|إعادة\s(?:تعيين|ضبط)\sكلمة|استعادة\sكلمة|رابط\s(?:تسجيل\s)?الدخول",
    "he": r"(?:אימות|אישור|הפעלת|אמת|אשר|הפעל)\s(?:את\s)?(?:כתובת|ה?דוא|ה?מייל|ה?חשבון|ה?הרשמה|האימייל)|איפוס\s(?:ה)?סיסמ|קישור\sכניסה",
    "fa": r"(?:تایید|تأیید|فعال[\s\u200c]?سازی)\s(?:آدرس\s)?(?:ایمیل|حساب|ثبت|عضویت|نشانی)|(?:بازیابی|بازنشانی|تغییر)\s(?:رمز|گذرواژه|کلمه)|پیوند\sورود|لینک\sورود",
    "hi": r"(?:ईमेल|ई-मेल|खाता|खाते|अकाउंट)\s(?:पता\s|को\s|की\s)?(?:सत्यापित|पुष्टि|सक्रिय|वेरिफाई|सत्यापन)|पासवर्ड\s(?:रीसेट|बदलें|सेट)|लॉग\s?इन\sलिंक",
    "th": r"(?:ยืนยัน|เปิดใช้งาน|ตรวจสอบ)(?:ที่อยู่)?(?:อีเมล|บัญชี|การสมัคร|การลงทะเบียน)|(?:รีเซ็ต|ตั้ง|เปลี่ยน)รหัสผ่าน|ลิงก์เข้าสู่ระบบ",
    "ru": r"подтверд\w{1,6}\s(?:свой\s|ваш\s|вашу\s)?(?:адрес|e-?mail|почт|аккаунт|регистрац|учетн"
    r"|учётн|электрон|подписк)|активировать\s(?:аккаунт|учетн)|(?:сбросить|восстановить|сменить"
    r"|сброса?)\sпарол|ссылк\w{1,3}\sдля\sвхода",
    "ja": r"メール(?:アドレス)?(?:を|の)(?:確認|認証|検証)|アカウント(?:を|の)(?:有効化|確認|認証)"
    r"|(?:登録|本登録)(?:を|の)(?:完了|確認)|パスワード(?:を|の)?(?:再設定|リセット|変更)"
    r"|ログインリンク|マジックリンク|招待を承認|認証する|本登録",
    "zh": r"(?:验证|驗證|确认|確認|激活|啟用)(?:您的|你的|我的)?(?:邮箱|郵箱|电子邮件|電子郵件|邮件"
    r"|郵件|帐号|账号|帳號|帳戶|账户|帐户|注册|註冊|身份)|(?:重置|重设|重設|修改)(?:您的|你的)?密码"
    r"|(?:重置|重设|重設)(?:您的|你的)?密碼|登录链接|登入連結|魔法链接",
    "ko": r"(?:이메일|메일|계정)(?:\s?주소)?(?:을|를)?\s?(?:인증|확인|활성화)|비밀번호\s?(?:재설정|변경"
    r"|초기화)|로그인\s?링크|가입\s?(?:완료|확인)|초대\s?수락|인증하기",
}
_COMPILED = {name: re.compile(pattern, re.I) for name, pattern in _ACTION.items()}


def actions_of(languages: Iterable[str]) -> list[re.Pattern[str]]:
    """Patterns for what says clearly that something is confirmed, reset or signed in to."""
    return [_COMPILED[name] for name in languages if name in _COMPILED]


# one word on a button; it needs more evidence
BUTTON = re.compile(
    r"\b(?:verify|confirm|activate|validate|bestätigen|aktivieren|confirmer|vérifier|activer|valider"
    r"|confirmar|verificar|activar|ativar"
    r"|conferma|verifica|attiva|bevestigen|activeren|potwierdź|potvrdit|potvrdiť|ověřit"
    r"|bekräfta|verifiera|bekræft|bekreft|vahvista|megerősítés|confirmă|verifică|doğrula|onayla|xác\snhận|xác\sminh|verifikasi|konfirmasi"
    r"|подтвердить|активировать|підтвердити|επιβεβαίωση|تأكيد|تفعيل|אישור|אימות|تایید)\b|पुष्टि\sकरें|सत्यापित|ยืนยัน|確認する"
    r"|有効化|确认|確認|验证|驗證|激活|인증|확인",
    re.I,
)
ENTER = re.compile(
    r"\b(?:sign|log)[\s-]?in\b|\blogin\b|anmelden|einloggen|se\sconnecter|iniciar\ssesión|entrar|accedi"
    r"|connexion|anmeldung|inicia\ssesión|entre\sna\b|inloggen|zaloguj|logowani|přihlá(?:sit|šení|ste)|prihlás|logga\sin|inloggning|logg\sinn|log\sind"
    r"|innlogging|kirjaudu|kirjautumi|bejelentkez|belépés|conectează|conectare|autentific|giriş|đăng\snhập|\bmasuk\b|log\smasuk"
    r"|войти|вход\b|увійти|вхід\b|σύνδεση|είσοδος|تسجيل\sالدخول|כניסה|התחבר|ورود|लॉग\s?इन|साइन\s?इन|เข้าสู่ระบบ|ログイン|サインイン|登录|登入|登錄|로그인",
    re.I,
)
# what is said of a link that is there for this one mail
LINK_GIVEN = re.compile(
    r"\b(?:your|this|the\sfollowing)\s(?:[\w-]{1,12}\s)?link|(?:dein|ihr)\slink|(?:votre|ton)\slien|(?:tu|su)\senlace|seu\slink|tuo\slink"
    r"|(?:je|uw)\slink|twój\slink|v[áa]š\sodkaz|din\s(?:länk|lenke)|dit\slink|lenken\sdin|linkkisi|linked|linkul\stău|bağlantınız"
    r"|liên\skết\scủa\sbạn|tautan\sanda|ваша\sссылка|ваше\sпосилання|σύνδεσμός\sσας|رابط|קישור|پیوند|लिंक|ลิงก์|リンク|链接|連結|링크",
    re.I,
)
ACTION_STEMS = (
    "verif", "confirm", "activ", "valid", "reset", "recover", "password", "magic", "sign", "log",
    "invit", "complete", "unlock",
    "bestätig", "aktivier", "passwort", "kennwort", "link", "vérifi", "réinitialis", "contraseña",
    "enlace", "senha", "ativ",
    "attiv", "bevestig", "wachtwoord", "potwierdź", "hasło", "zweryfikuj", "подтверд", "парол",
    "активир", "認証", "確認",
    "有効", "登録", "パスワード", "ログイン", "登录", "登入", "登錄", "로그인", "リンク", "验证", "驗證", "确认", "激活", "啟用", "密码", "密碼",
    "链接", "인증", "확인", "활성", "비밀번호",
    "링크", "가입", "potvrď", "potvrdi", "ověř", "hesl", "odkaz", "bekräft", "bekræft", "bekreft", "lösenord", "adgangskode",
    "passord", "länk", "lenke", "vahvista", "salasana", "kirjaud", "linkki", "erősít", "jelszó", "bejelentkez", "parol",
    "doğrula", "onayla", "şifre", "giriş", "xác nhận", "xác minh", "mật khẩu", "đăng nhập", "verifikasi", "konfirmasi",
    "kata sandi", "masuk", "підтверд", "посилання", "επιβεβ", "κωδικ", "σύνδε", "تأكيد", "تفعيل", "كلمة", "الدخول", "رابط",
    "אימות", "אישור", "סיסמ", "כניסה", "تایید", "ایمیل", "رمز", "ورود", "ईमेल", "पासवर्ड", "लॉग", "ยืนยัน", "รหัสผ่าน",
    "เข้าสู่ระบบ", "connexion", "anmeld", "einlogg", "sesión", "entrar", "accedi", "inlog", "logowan", "zalog", "přihl", "вход", "войти",
    "freischalt", "abschließen", "aceptar", "aceitar", "accetta", "convalida", "recuper",
)  # fmt: skip
"""One of these is in every text in which a link can be found (lower case)."""

OTHER_LINK = re.compile(
    r"unsubscrib|discount|coupon|voucher|\boffer|\bdeal|rabatt|gutschein|remise|descuento|desconto|sconto|korting|クーポン|优惠|할인"
    r"|opt-?\s?out|preference|manage\s(?:your\s)?(?:notification|subscription|email)|abmelden"
    r"|abbestell|désabonn|désinscri|darse\sde\sbaja"
    r"|cancelar\s(?:la\s)?suscripci|cancelar\s(?:a\s)?inscri|disiscri|cancella|afmelden|uitschrijven"
    r"|wypisz|отписа|配信停止|退订|退訂|수신\s?거부|購読解除"
    r"|privacy|datenschutz|confidentialité|privacidad|terms|imprint|impressum|mentions\slégales|agb\b"
    r"|view\s(?:in|this|online|your\sorder|order|invoice)"
    r"|browser|download|app\sstore|google\splay|track\s|invoice|\border\b|orders\b|help\s?cent|support"
    r"|contact|faq|learn\smore|read\smore|blog|shop\b"
    r"|not\syou\b|wasn['’]?t\syou|isn['’]?t\syou|wasn['’]?t\sme|secure\s(?:your|my)\saccount|report"
    r"|odhlásit\sodběr|odhlásiť|avsluta\sprenumeration|avregistrera|afmeld|meld\sav|peruuta|leiratkoz|dezabon|διαγραφή|abonelik|إلغاء|הסר|لغو"
    r"|सदस्यता|ยกเลิก|hủy\sđăng|berhenti\sberlangganan|відписа|\btilaus\b|näytä|sipariş|الطلب|הזמנה|pesanan|đơn\shàng|objednáv|beställ"
    r"|cancel|deny|decline|refuse|reject|bestellung|rechnung"
    r"|commande|facture|pedido|ordine|attendance|delivery|booking|reservation|appointment|payment"
    r"|purchase|survey|rsvp|注文|订单|訂單|주문|プライバシー|隐私",
    re.I,
)
