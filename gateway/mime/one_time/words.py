"""What mails with one-time codes say, and what mails with other numbers say, by language.

Every pattern is bounded; they are searched in short stretches of text only (see ``one_time_code``).
"""

from __future__ import annotations

import re

_STRONG = {
    "en": r"(?:verification|verify|security|confirmation|confirm|log-?\s?in|sign-?\s?in|sign-?\s?up"
    r"|registration|access"
    r"|authenticat(?:ion|or)|authori[sz]ation|auth|one-?\s?time|single-?\s?use|activation|validation"
    r"|2fa|mfa|temporary"
    r"|two-?\s?factor|two-?\s?step|2-?step|otp|device|pairing|reset|e-?mail|identity|approval|safe\w*)"
    r"(?:\s(?:pass|e-?mail|verification|security|login))?[\s-]?(?:pass)?(?:code|pin|password|number|key)\b"
    r"|\botp\b|\bpasscode\b|\byour\s(?:[\w.'&-]{1,20}\s){0,3}code\b|\b(?:enter|type|input|copy|paste"
    r"|use|with)"
    r"\s(?:in\s)?(?:this|the|following|below|these)(?:\sfollowing|\sbelow)?\s?(?:[\w-]{1,12}\s)?(?:code"
    r"|digits|number|pin)\b"
    r"|\b(?:this|following|digit)\scode\s(?:to|below|is|in)\b|\b\d-?\s?digit\s(?:code|number|pin)\b",
    "de": r"(?:bestätigungs|verifizierungs|verifikations|sicherheits|anmelde|login|zugangs|einmal"
    r"|aktivierungs"
    r"|authentifizierungs|freischalt|prüf|registrierungs|zugriffs)-?\s?(?:code|pin|kennwort|passwort"
    r"|nummer|schlüssel)"
    r"|\b(?:ihr|dein|der|folgenden|diesen)\s(?:[\w.&-]{1,20}\s){0,2}code\b|\bcode\slautet|\bm?tan:|\b(?:ihre|deine)\s(?:m?tan|pin)\b",
    "fr": r"\bcode\s(?:de\s(?:vérification|confirmation|sécurité|validation|connexion|passe)"
    r"|d['’]\s?(?:accès|activation"
    r"|authentification|identification)|à\susage\sunique|temporaire|unique|secret)"
    r"|mot\sde\spasse\sà\susage\sunique"
    r"|\b(?:votre|ton|ce|le)\scode\b(?:\sà\susage\sunique|\sde\s(?:vérif|confirm|sécur|valid)\w+|\sd['’]\w+)?|\bcode\s(?:suivant|ci-dessous)",
    "es": r"\b(?:código|codigo|clave|contraseña|pin)\s(?:[\w]{1,12}\s)?(?:de\s(?:verificación"
    r"|verificacion|confirmación"
    r"|confirmacion|seguridad|acceso|inicio|activación|un\s(?:solo|único)|uso|validación|autenticación"
    r"|registro)"
    r"|temporal|dinámica|único)|\b(?:tu|su|este|el\ssiguiente)\s(?:código"
    r"|codigo)\b(?:\sde\s(?:verif|confirm|seg|acc|un)\w*)?(?!\s(?:de\s(?:barras|desc)|postal))",
    "pt": r"\bcódigo\s(?:[\w]{1,12}\s)?(?:de\s(?:verificação|confirmação|segurança|acesso|ativação|uso"
    r"|validação"
    r"|autenticação|login)|único)|\b(?:seu|teu|este|o)\scódigo\b(?:\sde\s(?:verif|confirm|seg|ac|uso)\w*)?(?!\s(?:de\s(?:barras|rast|desc)"
    r"|postal))|senha\s(?:única|de\suso|temporária)",
    "it": r"\bcodice\s(?:[\w]{1,12}\s)?(?:di\s(?:verifica|conferma|sicurezza|accesso|attivazione"
    r"|autenticazione|login)|monouso"
    r"|usa\se\sgetta|otp|temporaneo)|\b(?:tuo|suo|questo|seguente)\scodice\b(?:\sdi\s(?:verif|conf|sic|acc)\w*)?(?!\s(?:fiscale|sconto"
    r"|cliente|prom))",
    "nl": r"(?:verificatie|bevestigings|beveiligings|inlog|toegangs|activerings|activatie|aanmeld"
    r"|eenmalige?\s?)-?code"
    r"|\b(?:je|uw|jouw|deze)\s(?:[\w.&-]{1,20}\s)?code\b",
    "pl": r"\bkod(?:u|em)?\s(?:[\w]{1,14}\s)?(?:weryfikacyjny|potwierdzający|bezpieczeństwa|dostępu"
    r"|aktywacyjny|logowania"
    r"|jednorazowy|weryfikacji|autoryzacyjny)|\b(?:twój|ten)\skod\b|jednorazow\w+\s(?:kod|hasło)",
    "ru": r"\b(?:код|пароль)\s(?:[\w]{1,14}\s)?(?:подтверждения|проверки|доступа|безопасности|активации"
    r"|входа|авторизации"
    r"|верификации|для\sвхода)|одноразов\w+\s(?:код|пароль)|(?:ваш|твой|этот)\sкод\b|проверочный\sкод"
    r"|код\s(?:для|из)\s",
    "nordic": r"(?:verifierings|verifikations|bekræftelses|bekräftelse|bekreftelses|engångs|engangs"
    r"|säkerhets|sikkerheds"
    r"|sikkerhets|inloggnings|vahvistus|kerta)-?(?:kod|kode|koodi)\b|\b(?:din"
    r"|dit)\s(?:[\w.&-]{1,20}\s)?kode?\b",
    "tr": r"(?:doğrulama|onay|güvenlik|giriş|aktivasyon|tek\skullanımlık)\s(?:kod|şifre|parola)",
    "cs": r"(?:ověřovací|potvrzovací|bezpečnostní|jednorázový|přihlašovací)\skód",
    "ja": r"(?:認証|確認|検証|セキュリティ|ワンタイム|ログイン|アクセス|本人確認|登録"
    r"|アクティベーション)(?:用)?"
    r"(?:の)?(?:コード|番号|パスワード|キー|パスコード|ピン)|パスコード|暗証番号|確認用の?(?:コード|数字)",
    "zh": r"(?:验证|驗證|校验|校驗|动态|動態|确认|確認|安全|激活|认证|認證|登录|登錄|登入|一次性|临时"
    r"|臨時)(?:代)?"
    r"(?:码|碼|密码|密碼|口令)",
    "ko": r"(?:인증|확인|보안|로그인|본인\s?확인|일회용|일회성|임시|가입)\s?(?:번호|코드|비밀번호|암호"
    r"|키|숫자)",
}
_WEAK = (
    r"\bcode\b|\bpin\b|\bcódigo\b|\bcodigo\b|\bcodice\b|\bkod\b|\bkode\b|\bkód\b|\bкод\b|コード"
    r"|代码|代碼|코드|\btoken\b|\bpass\b"
)
# Numbers of other kinds. Compounds with "code" come first, so that they take the word away from ``_WEAK``.
_OTHER_CODE = (
    r"(?:error|status|zip|postal|post|area|source|qr|country|promo(?:tion)?(?:al)?|discount|coupon|gift"
    r"|voucher|product"
    r"|item|dress|bar|swift|sort|bank|branch|exit|response|reference|booking|referral|tracking"
    r"|dial(?:l?ing)?|offer"
    r"|currency|store|reward|vendor|team|course|stock|class|savings?|reservation|color|colour|friend"
    r"|invitation|tax"
    r"|gutschein|rabatt|aktions|fehler|artikel|buchungs|empfehlungs|bestell|strich|korting\w*"
    r"|actie)[\s-]?code"
    r"|code\s(?:review|samples?|coverage|base|freeze|word|snippet|example|block|changes?|lines|of\s\w+"
    r"|postal|promo|de\sréduction|barres?|produit|article|erreur|client|remise|avantage|parrain|de\sconduite)"
    r"|código\s(?:postal|de\sbarras|de\sdescuento|promocional|de\scliente|de\serror|de\sdesconto"
    r"|de\srastreio|do\sproduto)"
    r"|codice\s(?:postale|fiscale|sconto|cliente|promo\w*|a\sbarre|errore|articolo)|kod\s(?:pocztowy"
    r"|rabatowy|promocyjny|błędu)"
    r"|код\s(?:ошибки|товара|скидки)|промокод|エラーコード|商品コード|クーポン(?:コード)?|優惠碼|优惠码"
    r"|折扣码|折扣碼|代金券|邮编|邮政编码"
    r"|할인\s?코드|쿠폰(?:\s?코드)?|(?:recovery|backup)\scodes|wiederherstellungscodes"
)
_OTHER_NUMBER = (
    r"\border\b|\borders\b|invoice|\breceipt|\bref\b|\bref\.|reference|reservation|\bticket|\bcase\b"
    r"|\btracking|parcel|shipment"
    r"|customer\s(?:no|nr|number|id)|client\s(?:no|number|id)|account\s(?:no|nr|number|id|ending)"
    r"|member(?:ship)?\s(?:no|number|id)"
    r"|policy|\biban\b|\bbic\b|\bphone|\btel\b|\btel[.:]|\bfax\b|\bcall\b|\bmobile|\bvat\b|transaction"
    r"|\bcard\b|ending\s(?:in|with)"
    r"|last\s(?:four|4)|discount|coupon|promo|voucher|gift|%\soff|\boff\b|checkout|serial|version"
    r"|\bbuild\b|model|flight|\bgate\b"
    r"|\broom\b|\bpage\b|\bid\b|\bid:|\bsku\b|copyright|©|\(c\)|\bsince\b|\best\.|bookings?\b"
    r"|confirmation\s(?:no|number|#)|\bpo\b|\bpnr\b"
    r"|bestell|rechnung|kunden-?(?:nummer|nr)|auftrag|sendung|referenz|gutschein|rabatt|postleitzahl"
    r"|\bplz\b|telefon|vorgang"
    r"|buchung|vertrag|aktenzeichen|artikel|konto"
    r"|commande|facture|n°\s?client|numéro\sde\s(?:client|suivi|dossier)|\bsuivi|\bcolis|\bréf|remise"
    r"|réservation|téléphone|dossier"
    r"|pedido|factura|envío|seguimiento|referencia|descuento|cupón|reserva|teléfono|\bcliente\b"
    r"|\bordine|fattura|spedizione|sconto|prenotazione|telefono"
    r"|encomenda|\bfatura|rastreio|rastreamento|desconto|cupom|telefone|bestelling|factuur|korting"
    r"|klantnummer|zending"
    r"|zamówien|faktur|przesyłk|rabat|zamówienie|заказ|счет|счёт|накладн|трек|скидк|телефон|договор"
    r"|注文|請求|受注|追跡|お問い合わせ番号|会員番号|予約|電話|郵便番号|お客様番号|伝票|領収|受付番号"
    r"|ポイント"
    r"|订单|訂單|发票|發票|快递|运单|運單|优惠|折扣|电话|電話|会员|會員|尾号|取件|单号|單號|客服|预订|金额"
    r"|주문|송장|운송장|할인|예약|전화|우편번호|회원번호|끝자리|고객번호|접수번호"
)

CODE_STEMS = (
    "code", "pin", "otp", "passw", "kennwort", "tan", "mot de passe", "código", "codigo", "clave",
    "contraseña", "senha",
    "codice", "kod", "kód", "şifre", "parola", "код", "парол", "コード", "番号", "パスワード",
    "码", "碼", "口令", "코드",
    "번호", "암호", "digit", "인증", "認証", "verify", "confirm",
)  # fmt: skip
"""One of these is in every text in which a code can be found (lower case)."""

_STRONG_PATTERN = "|".join(_STRONG.values())
MARKS = re.compile(
    f"(?P<other>{_OTHER_CODE}|{_OTHER_NUMBER})|(?P<strong>{_STRONG_PATTERN})|(?P<weak>{_WEAK})", re.I
)
OTHER_CODE = re.compile(_OTHER_CODE, re.I)

# between a word for code and the code itself
CONNECTOR = re.compile(
    r"[\s:：=*_\"'“”„«»‘’()\[\]「」『』【】<>|·•–—-]{0,12}(?:(?:is|are|as|lautet|ist|est|es|é|è|to|jest"
    r"|to\sjest|er|är|:|は|が|を|为|為|是|은|는"
    r"|이|가|을|를|below|now)(?:[\s:：=*_\"'“”„«»()\[\]「」『』【】-]{1,8}"
    r"|(?<=[はがをって为為是은는이가을를:])))?"
)
# what such a sentence ends with, when other words come between: "your code for Acme is"
LEADS_UP = re.compile(
    r"(?:[:：=]|\b(?:is|lautet|ist|est|es|é|è|to|jest|er|är)|[はが为為是은는])[\s\"'“„«(\[「『【*_]{0,4}\Z",
    re.I,
)
# between a code and a word for it that comes later: "123456 is your code"
CONNECTOR_BACK = re.compile(
    r"[\s=:：(（\[\"'”»*_–—-]{0,6}(?:(?:is|are|lautet|ist|est|es|é|è|jest|as"
    r"|—)\s(?:[\w.&-]{1,20}\s){0,3}|は|が|为|為|是|은|는|이)?"
)
USED_BEFORE = re.compile(r"\b(?:use|enter|type|input)\s(?:in\s)?[\"'“*]?\Z", re.I)
USED_AFTER = re.compile(
    r"[\"'”*]?\s(?:(?:in|on|at)\s[\w\s.]{1,30}?\s)?(?:to|as)\s(?:verify|confirm|complete|sign|log|continue|finish|authenticate|access"
    r"|your\s(?:pass|code|pin|one))",
    re.I,
)
DISCOUNT = re.compile(
    r"discount|coupon|promo|voucher|%\soff|\boff\s(?:your|on)|rabatt|gutschein|réduction|remise"
    r"|descuento|cupón|desconto|cupom|sconto"
    r"|korting|rabat\b|скидк|クーポン|割引|优惠|優惠|折扣|할인|쿠폰",
    re.I,
)
# meetings and slips have codes too, which nobody waits for
BUSINESS = re.compile(
    r"meeting\sid|webinar|conference\scall|dial-?\s?in|besprechungs-id|reunión\sde\szoom|ミーティングid|会议号|會議號"
    r"|\breceipt\b|\bmerchant\b|subtotal|\bterminal\b|kassenbon|\bbeleg\b|ticket\sde\scaisse|pull\srequest|\bcommit\b",
    re.I,
)
UNIT_AFTER = re.compile(
    r"\s?(?:€|\$|£|¥|₹|₽|%|°|(?:usd|eur|gbp|chf|jpy|cny|inr|kr|zł|руб|seconds?|secs?|minutes?|mins?"
    r"|hours?|days?|weeks?"
    r"|km|kg|mb|gb|kb|tb|kwh|px|points?|pts|miles|users?|people|items?|sekunden|minuten|stunden|tage"
    r"|punkte|secondes|heures"
    r"|jours|segundos|minutos|horas|días|puntos|pontos|секунд|минут|баллов)\b"
    r"|[円元원分秒年月日時点回件人个條条次块塊부개명분초년월일]|ポイント|小时|小時|天)",
    re.I,
)
MONEY_BEFORE = re.compile(r"(?:usd|eur|gbp|chf|rs\.?|inr|kr|jpy|cny|rmb|brl|r\$|us\$)\s?\Z", re.I)
EXPIRES = re.compile(
    r"expire|valid\s(?:for|until)|gültig|läuft.{1,30}ab|minuten|minutes|valable|expir|caduca|válido"
    r"|scade|valido|verloopt|geldig"
    r"|ważny|действител|有効|分以内|有效|分钟|分鐘|유효|분\s?(?:이내|동안)|do\snot\sshare"
    r"|don['’]?t\sshare|never\sshare",
    re.I,
)
