"""What mails with links that confirm, sign in or reset say, and what other links say, by language.

Every pattern is bounded; they are searched in short stretches of text only (see ``one_time_link``).
"""

from __future__ import annotations

import re

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
ACTION = re.compile("|".join(_ACTION.values()), re.I)
# one word on a button; it needs more evidence
BUTTON = re.compile(
    r"\b(?:verify|confirm|activate|validate|bestätigen|aktivieren|confirmer|vérifier|activer|valider"
    r"|confirmar|verificar|activar|ativar"
    r"|conferma|verifica|attiva|bevestigen|activeren|potwierdź|подтвердить|активировать)\b|確認する"
    r"|有効化|确认|確認|验证|驗證|激活|인증|확인",
    re.I,
)
ENTER = re.compile(
    r"\b(?:sign|log)[\s-]?in\b|\blogin\b|anmelden|einloggen|se\sconnecter|iniciar\ssesión|entrar|accedi"
    r"|inloggen|войти|ログイン|登录|登入|로그인",
    re.I,
)
ACTION_STEMS = (
    "verif", "confirm", "activ", "valid", "reset", "recover", "password", "magic", "sign", "log",
    "invit", "complete", "unlock",
    "bestätig", "aktivier", "passwort", "kennwort", "link", "vérifi", "réinitialis", "contraseña",
    "enlace", "senha", "ativ",
    "attiv", "bevestig", "wachtwoord", "potwierdź", "hasło", "zweryfikuj", "подтверд", "парол",
    "активир", "認証", "確認",
    "有効", "登録", "パスワード", "リンク", "验证", "驗證", "确认", "激活", "啟用", "密码", "密碼",
    "链接", "인증", "확인", "활성", "비밀번호",
    "링크", "가입", "freischalt", "abschließen", "aceptar", "aceitar", "accetta", "convalida", "recuper",
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
    r"|cancel|deny|decline|refuse|reject|bestellung|rechnung"
    r"|commande|facture|pedido|ordine|attendance|delivery|booking|reservation|appointment|payment"
    r"|purchase|survey|rsvp|注文|订单|訂單|주문|プライバシー|隐私",
    re.I,
)
