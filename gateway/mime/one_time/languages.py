"""How each language speaks of one-time codes and of other numbers, by the script that it is written in.

Every pattern is bounded and in lower case; they are searched in short stretches of text only (see ``code``).
"""
# ruff: noqa: E501 - tables of words

from __future__ import annotations

import re
from typing import NamedTuple


class Language(NamedTuple):
    """Patterns of one language.

    ``strong``: a code to verify, sign in or confirm. ``weak``: any code. ``not_code``: compounds with the word for code
    that mean something else. ``not_number``: words for orders, invoices, customers, phones. ``enter``: a verb before
    the number ("enter 123456"). ``entered``: a verb after it. ``purpose``: what such a sentence says it is for.
    ``copula``: between the word for code and the code. ``small_words``: two of them are in every longer text.
    """

    strong: str
    weak: str = ""
    not_code: str = ""
    not_number: str = ""
    enter: str = ""
    entered: str = ""
    purpose: str = ""
    copula: str = ""
    small_words: str = ""


LATIN = {
    "en": Language(
        strong=r"(?:verification|verify|security|confirmation|confirm|log-?\s?in|sign-?\s?in|sign-?\s?up|registration|access"
        r"|authenticat(?:ion|or)|authori[sz]ation|auth|one-?\s?time|single-?\s?use|activation|validation|2fa|mfa|temporary"
        r"|two-?\s?factor|two-?\s?step|2-?step|otp|device|pairing|reset|e-?mail|identity|approval|safe\w*)"
        r"(?:\s(?:pass|e-?mail|verification|security|login))?[\s-]?(?:pass)?(?:code|pin|password|number|key)\b"
        r"|(?:one-?\s?time|single-?\s?use|temporary)\s(?:[\w.'&-]{1,20}\s){1,2}(?:pass)?(?:code|pin|password|key)\b"
        r"|\botp\b|\bpasscode\b|\byour\s(?:[\w.'&-]{1,20}\s){0,3}code\b|\b(?:enter|type|input|copy|paste|use|with)"
        r"\s(?:in\s)?(?:this|the|following|below|these)(?:\sfollowing|\sbelow)?\s?(?:[\w-]{1,12}\s)?(?:code|digits|number|pin)\b"
        r"|\b(?:this|following|digit)\scode\s(?:to|below|is|in)\b|\b\d-?\s?digit\s(?:code|number|pin)\b"
        r"|\bcode\s(?:to|for)\s(?:approv|confirm|verif|sign|log|complet|continu|access|unlock|reset|authori|activat)\w{0,6}\b"
        r"|\bcode\sto\s(?:[\w'’.&-]{1,20}\s){1,7}is\b|\b(?:code|otp|pin)\sfor\s(?:[\w'’.&*-]{1,20}\s){1,8}(?=is\b)"
        r"|\b(?:two-?\s?step|two-?\s?factor|2-?step|2-?factor)\s(?:verification|authentication)\b",
        weak=r"(?<!-)\bcode\b|\bpin\b|\btoken\b|\bpass\b|\bpassword\b"
        r"|\b(?:verification|authentication|log-?in|sign-?in)\b(?=\s?[:#])",
        not_code=r"(?:error|status|zip|postal|post|area|source|qr|country|promo(?:tion)?(?:al)?|discount|coupon|gift|gift\scard|voucher|product"
        r"|item|dress|bar|swift|sort|bank|branch|exit|response|reference|booking|referral|tracking|dial(?:l?ing)?|offer"
        r"|currency|store|reward|vendor|team|course|stock|class|savings?|reservation|color|colour|friend|invitation|tax|credit|claim|redemption|access\scontrol|gate|door|region|department|staff|employee|client|customer|flight|airport)[\s-]?code"
        r"|code\s(?:review|samples?|coverage|base|freeze|word|snippet|example|block|changes?|lines|of\s\w+)"
        r"|(?:recovery|backup)\scodes",
        not_number=r"\border\b|\borders\b|invoice|\breceipt|\bref\b|\bref\.|reference|reservation|\bticket|\bcase\b"
        r"|\btracking|parcel|shipment|customer\s(?:no|nr|number|id)|client\s(?:no|number|id)|account\s(?:no|nr|number|id|ending)"
        r"|member(?:ship)?\s(?:no|number|id)|policy|\biban\b|\bbic\b|\bphone|\btel\b|\btel[.:]|\bfax\b|\bcall\b|\bmobile|\bvat\b"
        r"|transaction|\bcard\b|ending\s(?:in|with)|last\s(?:four|4)|discount|coupon|promo|voucher|gift|%\soff|\boff\b|checkout"
        r"|serial|version|\bbuild\b|model|flight|\bgate\b|\broom\b|\bpages?\s?\Z|\bid\b|\bid:|\bsku\b|copyright|©|\(c\)|\bsince\b"
        r"|\best\.|bookings?\b|confirmation\s(?:no|number|#)|\bpo\b|\bpnr\b",
        enter=r"\b(?:use|enter|type|input)(?:\sin)?|\b(?:log|sign)\s?in\s(?:with|using)",
        purpose=r"\bto\s(?:verify|confirm|complete|sign|log|continue|finish|authenticate|access|proceed|activate|reset|unlock)"
        r"|\b(?:as|is)\syour\s(?:pass|code|pin|one)|never\sshare|do\snot\sshare|don['’]?t\sshare",
        copula="is|are|as|below|now",
    ),
    "de": Language(
        strong=r"(?:bestätigungs|verifizierungs|verifikations|sicherheits|anmelde|login|zugangs|einmal|aktivierungs"
        r"|authentifizierungs|freischalt|freigabe|prüf|registrierungs|zugriffs)-?\s?(?:code|pin|kennwort|passwort|nummer|schlüssel)"
        r"|\b(?:ihr|dein|der|folgenden|diesen)\s(?:[\w.&-]{1,20}\s){0,2}(?:[\w.&]{1,20}-)?code\b|\bcode\slautet"
        r"|\b(?:tan|code)\s(?:für|zu[rm]?)\s(?:[\w.&-]{1,20}\s){1,4}(?=lautet|ist)|\btan(?::|\s(?:für|lautet|ist))|\b(?:m|sms-?|push-?|photo)tan\b|\b(?:ihre|deine)\s(?:m?tan|pin)\b",
        not_code=r"(?:gutschein|rabatt|aktions|fehler|artikel|buchungs|empfehlungs|bestell|strich)[\s-]?code|wiederherstellungscodes",
        not_number=r"bestell|rechnung|kunden-?(?:nummer|nr)|auftrag(?!\sist)|sendung|referenz|gutschein|rabatt|postleitzahl|\bplz\b|telefon"
        r"|vorgang|buchung|vertrag|aktenzeichen|artikel|konto",
        enter=r"\b(?:geben\ssie|gib|verwenden\ssie|verwende|nutzen\ssie|benutze)(?:\sbitte)?(?:\sden\scode)?",
        purpose=r"\bum\s(?:fortzufahren|sich\s|dich\s|die\s|den\s|ihr|dein)|fortfahren|anzumelden|bestätigen",
        copula="lautet|ist",
        small_words="und|der|die|das|ist|sie|nicht|für|mit|ihr|wir|zu",
    ),
    "fr": Language(
        strong=r"\bcode\s(?:de\s(?:vérification|verification|confirmation|sécurité|securite|validation|connexion|passe)"
        r"|d['’]\s?(?:accès|acces|activation|authentification|identification)|à\susage\sunique|temporaire|unique|secret)"
        r"|\bcode\s(?:pin|confidentiel)|\bpin\sd['’]accès|mot\sde\spasse\s(?:à\susage\sunique|temporaire|unique|provisoire)|\bclé\s(?:temporaire|de\ssécurité|d['’]accès|unique|secrète)"
        r"|\b(?:votre|ton|ce|le)\scode\b(?:\sà\susage\sunique|\sde\s(?:vérif|confirm|sécur|valid)\w+|\sd['’]\w+)?|\bcode\s(?:suivant|ci-dessous)",
        not_code=r"code\s(?:postal|promo|de\sréduction|barres?|produit|article|erreur|client|remise|avantage|parrain|de\sconduite)",
        not_number=r"commande|facture|n°\s?client|numéro\sde\s(?:client|suivi|dossier)|\bsuivi|\bcolis|\bréf|remise|réservation"
        r"|téléphone|dossier",
        enter=r"\b(?:saisissez|saisis|entrez|entre|tapez|utilisez|utilise)(?:\sle\scode)?",
        purpose=r"\bpour\s(?:continuer|vous|te|confirmer|valider|finaliser|accéder|activer)",
        copula="est",
        small_words="le|la|les|de|et|vous|pour|est|votre|nous|une|des",
    ),
    "es": Language(
        strong=r"\b(?:código|codigo|clave|contraseña|pin)\s(?:[\w]{1,12}\s)?(?:de\s(?:verificación|verificacion|confirmación"
        r"|confirmacion|seguridad|acceso|inicio|activación|un\s(?:solo|único)|uso|validación|autenticación|registro|ingreso)"
        r"|temporal|dinámica|único)|\b(?:tu|su|este|el\ssiguiente)\s(?:código|codigo|clave)\b(?:\sde\s(?:verif|confirm|seg|acc|un)\w*)?"
        r"(?!\s(?:de\s(?:barras|desc)|postal))",
        weak=r"\bcódigo\b|\bcodigo\b|\bclave\b",
        not_code=r"c[óo]digo\s(?:postal|de\sbarras|de\sdescuento|promocional|de\scliente|de\serror|de\sdesconto|de\srastreio"
        r"|do\sproduto|de\sproducto|de\sreserva|do\scliente)",
        not_number=r"pedido|factura|envío|seguimiento|referencia|descuento|cupón|reserva|teléfono|\bcliente\b",
        enter=r"\b(?:introduce|introduzca|ingresa|ingrese|escribe|escriba|usa|use|utiliza|utilice)(?:\sel\scódigo)?",
        purpose=r"\bpara\s(?:continuar|iniciar|acceder|confirmar|verificar|entrar|completar|ingresar|activar)",
        copula="est|es",
        small_words="el|la|los|de|que|para|su|tu|por|una|con|es",
    ),
    "pt": Language(
        strong=r"\bcódigo\s(?:[\w]{1,12}\s)?(?:de\s(?:verificação|confirmação|segurança|acesso|ativação|uso|validação|autenticação"
        r"|login)|único)|\b(?:seu|teu|este|o)\scódigo\b(?:\sde\s(?:verif|confirm|seg|ac|uso)\w*)?(?!\s(?:de\s(?:barras|rast|desc)|postal))"
        r"|\bpin\sde\sacesso|senha\s(?:única|de\suso|temporária|provisória)|\bseu\stoken\b",
        not_number=r"encomenda|\bfatura|rastreio|rastreamento|desconto|cupom|telefone|nota\sfiscal",
        enter=r"\b(?:digite|insira|introduza|utilize|informe|use)(?:\so\scódigo)?",
        purpose=r"\bpara\s(?:continuar|iniciar|acessar|confirmar|verificar|entrar|completar|concluir|prosseguir|ativar)",
        copula="é|e",
        small_words="o|os|de|que|para|seu|sua|com|uma|não|em|do",
    ),
    "it": Language(
        strong=r"\bcodice\s(?:[\w]{1,12}\s)?(?:di\s(?:verifica|conferma|sicurezza|accesso|attivazione|autenticazione|login)|monouso"
        r"|usa\se\sgetta|otp|temporaneo)|\b(?:tuo|suo|questo|seguente)\scodice\b(?:\sdi\s(?:verif|conf|sic|acc)\w*)?"
        r"(?!\s(?:fiscale|sconto|cliente|prom))|password\s(?:temporanea|monouso|usa\se\sgetta)|\bpin\sdi\s(?:accesso|sicurezza)"
        r"|\bcodice\sper\s(?:confermare|accedere|verificare|completare|autorizzare)(?:\s[\w']{1,20}){0,4}",
        weak=r"\bcodice\b",
        not_code=r"codice\s(?:postale|fiscale|sconto|cliente|promo\w*|a\sbarre|errore|articolo|prodotto|prenotazione)",
        not_number=r"\bordine|fattura|spedizione|sconto|prenotazione|telefono",
        enter=r"\b(?:inserisci|inserisca|inserire|digita|usa|utilizza)(?:\sil\scodice)?",
        purpose=r"\bper\s(?:continuare|accedere|confermare|verificare|completare|proseguire)",
        copula="è",
        small_words="il|la|di|che|per|tuo|non|con|una|è|del|i",
    ),
    "nl": Language(
        strong=r"(?:verificatie|bevestigings|beveiligings|inlog|toegangs|activerings|activatie|aanmeld|eenmalige?\s?)-?(?:code|wachtwoord)"
        r"|\b(?:je|uw|jouw|deze)\s(?:[\w.&-]{1,20}\s)?code\b|\btan-?code\b",
        not_code=r"(?:korting\w*|actie|post|streepjes|fout|artikel|klant)[\s-]?code|postcode",
        not_number=r"bestelling|factuur|korting|klantnummer|zending|bestelnummer",
        enter=r"\b(?:voer|gebruik|typ)(?:\sde\scode|\scode)?",
        purpose=r"\bom\s(?:door|in|uw|je|te)\b|verder\ste\sgaan",
        small_words="de|het|een|en|je|uw|van|voor|is|niet|met|om",
    ),
    "pl": Language(
        strong=r"\bkod(?:u|em)?\s(?:[\w]{1,14}\s)?(?:weryfikacyjny|potwierdzający|bezpieczeństwa|dostępu|aktywacyjny|logowania"
        r"|jednorazowy|weryfikacji|autoryzacyjny|autoryzacji|potwierdzenia|sms)|\b(?:twój|ten)\skod\b|jednorazow\w+\s(?:kod|hasło)"
        r"|hasło\s(?:jednorazowe|sms|tymczasowe)",
        weak=r"\bkod(?:u|em)?\b|\bhasło\b",
        not_code=r"kod\s(?:pocztowy|rabatowy|promocyjny|błędu|produktu|klienta|kreskowy|towaru)",
        not_number=r"zamówien|faktur|przesyłk|rabat|zamówienie",
        enter=r"\b(?:wpisz|wprowadź|podaj|użyj)(?:\skodu?)?",
        purpose=r"\b(?:aby|by|żeby)\s",
        copula="to|to\\sjest|jest",
        small_words="i|w|na|się|nie|do|jest|z|to|aby|o|twoje",
    ),
    "cs": Language(
        strong=r"(?:ověřovací|potvrzovací|bezpečnostní|jednorázový|přihlašovací|autorizační|aktivační|overovací|potvrdzovací"
        r"|bezpečnostný|jednorazový|prihlasovací|autorizačný|aktivačný|prístupový|přístupový)\skód\w{0,3}"
        r"|(?:jednorázov|jednorazov|dočasn)[éý]\sheslo|\bv[áa]š\skód\b|sms\skód",
        weak=r"\bkód(?:u|em|om)?\b",
        not_code=r"(?:slevov|zľavov)\w{1,3}\skód|kód\s(?:produktu|zboží|tovaru|zákazníka|kupónu)|\bpsč\b",
        not_number=r"objednáv|faktur|zásilk|zásielk|variabilní|variabilný|číslo\s(?:účtu|zákazníka)|telefon",
        enter=r"\b(?:zadejte|zadajte|použijte|použite|vložte|zadej)(?:\skód)?",
        purpose=r"\b(?:pro|na)\s(?:pokračov|přihláš|prihlás|ověř|over|potvrz|dokonč)|\babyste?\s",
        copula="je",
        small_words="a|se|na|je|v|pro|vám|vás|není|že|prosím|do",
    ),
    "nordic": Language(
        strong=r"(?:verifierings|verifikations|verifikasjons|verificerings|bekræftelses|bekräftelse|bekreftelses|engångs|engangs"
        r"|säkerhets|sikkerheds|sikkerhets|inloggnings|innloggings|påloggings|log-?ind-?|login-?|adgangs|åtkomst|tilgangs"
        r"|aktiverings|autentiserings|godkendelses|godkjennings|kontrol|tofaktor|verifiserings|sms-?)-?(?:kod|koden|kode|koden"
        r"|lösenord(?:et)?|adgangskode|passord(?:et)?)\b|\b(?:din|dit)\s(?:[\w.&-]{1,20}\s)?kode?\b|\bkoden\sdin\b",
        weak=r"\bkode\b|\bkoden?\b|\bkod\b|\blösenord\b|\badgangskode\b|\bpassord\b",
        not_code=r"(?:rabatt?|rabat|kampanj|kampagne|post|sporings|produkt|artikel|felt?|fejl|stræk|strek|streck|gave)-?kode?n?\b",
        not_number=r"beställning|bestilling|\bordre|ordernummer|faktura|postnummer|kundnummer|kundenummer|försändelse|forsendelse"
        r"|kollinummer|telefon|sporings",
        enter=r"\b(?:ange|skriv\sin|skriv\sinn|angi|indtast|använd|brug|bruk)(?:\skoden)?",
        purpose=r"\b(?:för\satt|for\så|for\sat|til\sat)\s",
        copula="är|er",
        small_words="og|och|er|är|du|att|at|til|till|för|for|det|en|din|vi|ikke|inte",
    ),
    "fi": Language(
        strong=r"(?:vahvistus|kirjautumis|todennus|turva|varmennus|varmistus|kerta|kertakäyttö|tunnistautumis|tunnistus|aktivointi|pääsy"
        r"|rekisteröinti|käyttö)-?(?:koodi|tunnus|salasana)\w{0,5}|kertakäyttöi\w{2,6}\s(?:salasana|koodi)\w{0,5}|\bkoodi(?:si|nne)\b"
        r"|\btunnuslu[vk]u\w{0,4}",
        weak=r"\bkoodi\w{0,2}\b|\bsalasana\w{0,2}\b",
        not_code=r"(?:alennus|seuranta|tuote|kampanja|lahja|virhe|viiva|etu)-?koodi\w{0,3}|postinumero",
        not_number=r"tilaus|tilauksesi|lasku|asiakasnumero|lähety|puhelin|viitenumero|paketti",
        enter=r"\b(?:syötä|anna|kirjoita|käytä)(?:\skoodia?)?",
        purpose=r"jatka|kirjau|vahvista|todenta",
        copula="on",
        small_words="on|ja|ei|se|jos|voit|että|tämä|ole|sinun|olet|kun|tai",
    ),
    "hu": Language(
        strong=r"(?:ellenőrző|megerősítő|hitelesítő|biztonsági|belépési|belépő|egyszeri|egyszer\shasználatos|aktiváló|aktiválási|azonosító"
        r"|bejelentkezési|jóváhagyó|visszaigazoló|regisztrációs)\s?-?\s?(?:kód|jelszó)\w{0,4}|\bkódod\b|\bkódja\b(?!\s?:?\s?[a-z])",
        weak=r"\bkód(?:ot)?\b|\bjelszó\b",
        not_code=r"(?:kedvezmény|kupon|termék|hiba|vonal|akciós\s|promóciós\s)-?kód\w{0,3}|irányítószám",
        not_number=r"rendelés|számla|számlaszám|cikkszám|ügyfélszám|csomag|telefon|ügyszám",
        enter=r"\b(?:írd\sbe|írja\sbe|add\smeg|adja\smeg|használd|használja)(?:\sa)?",
        entered=r"\skódot\b",
        purpose=r"folytat|bejelentkez|megerősít|belép",
        small_words="a|az|és|hogy|nem|egy|ez|ha|kérjük|meg|van|ön",
    ),
    "ro": Language(
        strong=r"\bcod(?:ul|ului)?\s(?:[\w.]{1,10}\s){0,2}?(?:de\s(?:verificare|confirmare|securitate|autentificare|acces|activare"
        r"|siguranță|siguranta|unică|conectare|validare)|unic|otp)|parol[aă]\s(?:unică|de\sunică|temporară|unica)"
        r"|\bcodul\s(?:tău|tau|dvs|dumneavoastră)",
        weak=r"\bcod(?:ul)?\b|\bparola\b",
        not_code=r"\bcod(?:ul)?\s(?:poștal|postal|de\sreducere|promo\w*|client\w*|produs\w*|de\sbare|fiscal|de\seroare)",
        not_number=r"comand[aă]|comanda|factura|colet|awb|telefon|client",
        enter=r"\b(?:introdu|introduceți|introduceti|folosește|folosiți|tastați)(?:\scodul)?",
        purpose=r"\bpentru\s(?:a|auth|aut|con|ver)\w*",
        copula="este|e",
        small_words="și|si|de|la|nu|pe|în|pentru|cu|este|sau|ați|vă",
    ),
    "tr": Language(
        strong=r"(?:doğrulama|onay|güvenlik|giriş|aktivasyon|tek\skullanımlık|erişim|geçici|sms)\s(?:kod|şifre|parola)\w{0,7}"
        r"|\bkodunuz\w{0,4}\b|\bşifreniz\b",
        weak=r"\bkod(?:u|unu)?\b|\bşifre\b",
        not_code=r"(?:indirim|posta|ürün|kupon|promosyon|hata|takip|müşteri|hediye)\skodu?\w{0,4}",
        not_number=r"sipariş|fatura|kargo|takip|müşteri|telefon|indirim",
        enter=r"\b(?:girmeniz\sgereken)",
        entered=r"\skodu\sile\b|(?:\skodunu)?\s(?:girin|giriniz|girerek|kullanın|kullanınız)\b",
        purpose=r"devam|giriş|doğrula|onayla",
        small_words="ve|bir|bu|için|ile|lütfen|değil|hesap|siz|daha|olarak",
    ),
    "vi": Language(
        strong=r"\bmã\s(?:xác\s(?:minh|nhận|thực)|bảo\smật|đăng\snhập|truy\scập|kích\shoạt|otp|pin)|mật\skhẩu\s(?:một\slần|dùng\smột\slần|tạm\sthời)",
        weak=r"\bmã\b",
        not_code=r"\bmã\s(?:bưu\s(?:chính|điện)|giảm\sgiá|khuyến\smãi|đơn|vận\sđơn|sản\sphẩm|khách|vạch|lỗi|số\sthuế|ưu\sđãi|đặt)",
        not_number=r"đơn\shàng|hóa\sđơn|vận\sđơn|điện\sthoại|khách\shàng",
        enter=r"\b(?:nhập|sử\sdụng|dùng)(?:\smã)?",
        purpose=r"\b(?:để|nhằm)\s",
        copula="là",
        small_words="và|của|là|không|cho|bạn|này|để|trong|được|vui",
    ),
    "id": Language(
        strong=r"\b(?:kode|kod)\s(?:verifikasi|konfirmasi|keamanan|masuk|login|akses|aktivasi|otp|otentikasi|autentikasi|sekali\spakai|pengesahan"
        r"|keselamatan|log\smasuk|pengaktifan)|(?:kata\ssandi|kata\slaluan)\s(?:sekali\s(?:pakai|guna)|sementara)|\bkode\s(?:anda|kamu)\b",
        not_code=r"\bkode\s(?:pos|promo|diskon|barang|produk|pelanggan|kupon|voucher|resi|pemesanan|booking)|\bkod\s(?:diskaun|produk)|\bposkod",
        not_number=r"pesanan|faktur|nomor\s(?:resi|pesanan|pelanggan)|telepon|resi\b|invois",
        enter=r"\b(?:masukkan|gunakan|ketik)(?:\skode|\skod)?",
        purpose=r"\b(?:untuk|agar)\s",
        copula="adalah|ialah|yaitu",
        small_words="dan|yang|anda|untuk|ini|di|dengan|tidak|ke|atau|dari|akun",
    ),
    "south slavic": Language(
        strong=r"(?:verifikacijski|potvrdni|sigurnosni|jednokratni|pristupni|verifikacioni|bezbednosni|aktivacijski|potrditvena|varnostna)\skoda?\b"
        r"|\bkoda?\sza\s(?:potvrdu|provjeru|prijavu|pristup|verifikaciju|potrditev|prijavo)|jednokratna\slozinka",
        not_code=r"(?:promotivni|popust\w*|poštanski)\skod",
        not_number=r"narudžb|račun|pošiljk|naročil",
        copula="je",
        small_words="i|je|na|za|se|u|ne|da|vaš|su|in|ali|vam",
    ),
    "baltic": Language(
        strong=r"(?:patvirtinimo|saugos|prisijungimo|vienkartinis|vienkartinio|apstiprinājuma|drošības|pieslēgšanās|vienreizējais|verifikācijas)\skod[aso]\w?"
        r"|(?:kinnitus|turva|sisselogimis|ühekordne\s|kontroll)kood\w{0,3}",
        weak=r"\bkodas\b|\bkods\b|\bkood\b",
        not_code=r"nuolaidos\skodas|pašto\skodas|atlaižu\skods|soodus\w*kood",
        not_number=r"užsakym|sąskait|pasūtījum|rēķin|tellimus|\barve",
        copula="yra|ir|on",
        small_words="ir|un|ja|on|jūsų|jūsu|teie|ei|kad|ka|est|nav|nėra",
    ),
    "ca": Language(strong=r"\bcodi\sde\s(?:verificació|confirmació|seguretat|accés|validació)|\b(?:teu|seu)\scodi\b", weak=r"\bcodi\b", not_code=r"codi\s(?:postal|de\sdescompte)", copula="és", small_words="el|la|els|de|que|per|no|una|amb|és|del|teu"),
}  # fmt: skip
CYRILLIC = {
    "ru": Language(
        strong=r"\b(?:код|пароль)\s(?:[\w]{1,14}\s)?(?:подтверждения|проверки|доступа|безопасности|активации|входа|авторизации"
        r"|верификации|для\sвхода)|одноразов\w+\s(?:код|пароль)|временн\w+\s(?:код|пароль)|(?:ваш|твой|этот)\s(?:код|пароль)\b(?!\s(?:клиента|товара))|проверочный\sкод"
        r"|код\s(?:для|из)\s|пин-?код|(?:никому\sне\s\w{3,12}|не\s\w{3,12}\sникому)\s(?:этот\s)?код",
        weak=r"\bкод\b|\bпароль\b",
        not_code=r"код\s(?:ошибки|товара|скидки|клиента|купона)|промокод|штрих-?код",
        not_number=r"заказ|счет|счёт|накладн|трек|скидк|телефон|договор|индекс|артикул",
        enter=r"\b(?:введите|используйте|укажите)(?:\sкод)?",
        purpose=r"\b(?:чтобы|для)\s",
    ),
    "uk": Language(
        strong=r"\b(?:код|пароль)\s(?:[\w]{1,14}\s)?(?:підтвердження|перевірки|доступу|безпеки|активації|входу|авторизації|для\sвходу)"
        r"|одноразов\w+\s(?:код|пароль)|тимчасов\w+\s(?:код|пароль)|(?:ваш|твій|цей)\s(?:код|пароль)\b",
        not_code=r"код\s(?:помилки|товару|знижки|клієнта)|промокод",
        not_number=r"замовлен|рахун|накладн|знижк|телефон|індекс|відстежен",
        enter=r"\b(?:введіть|використайте|вкажіть)(?:\sкод)?",
        purpose=r"\b(?:щоб|для)\s",
        copula="є",
    ),
    "bg": Language(
        strong=r"\bкод(?:ът)?\sза\s(?:потвърждение|достъп|сигурност|вход|проверка|активация|верификация)|еднократн\w+\s(?:код|парола)"
        r"|\b(?:вашият|твоят)\sкод\b|(?:верификациони|потврдни|сигурносни|безбедносни)\sкод|код\sза\s(?:потврду|пријаву)",
        weak=r"\bпарола\b",
        not_code=r"код\sза\sотстъпка|пощенски\sкод",
        not_number=r"поръчк|фактур|пратк|доставк|наруџб|рачун",
        copula="е|је",
    ),
}  # fmt: skip
GREEK = {
    "el": Language(
        strong=r"κωδικ(?:ός|ό|ού)\s(?:επαλήθευσ[ηή]ς|σύνδεσ[ηή]ς|ασφαλείας|πρόσβασ[ηή]ς|επιβεβαίωσ[ηή]ς|μίας\sχρήσης|μιας\sχρήσης|ενεργοποίησ[ηή]ς"
        r"|ταυτοποίησ[ηή]ς|εισόδου|pin|otp)|κωδικ(?:ός|ό)\s(?:σας|σου)",
        weak=r"κωδικ(?:ός|ό|ού)",
        not_code=r"(?:ταχυδρομικός|εκπτωτικός|προωθητικός)\sκ[ωώ]δικ\w{1,4}|κωδικ\w{1,3}\s(?:προϊόντος|πελάτη|έκπτωσης|κουπονιού|αποστολής)|κουπόνι",
        not_number=r"παραγγελί|τιμολόγι|αποστολή|τηλέφων|πελάτη|έκπτωσ",
        enter=r"(?:εισαγάγετε|εισάγετε|πληκτρολογήστε|χρησιμοποιήστε)(?:\sτον?)?(?:\sκωδικό)?",
        purpose=r"για\sνα\s",
        copula="είναι",
    ),
}  # fmt: skip
SEMITIC = {
    "ar": Language(
        strong=r"(?:رمز|كود|رقم)\s(?:ال)?(?:تحقق|تأكيد|تاكيد|دخول|أمان|امان|تفعيل|مصادقة|توثيق|سري|مرور|وصول|لمرة\sواحدة)"
        r"|كلمة\s(?:ال)?(?:مرور|سر)\s(?:ل?مرة\sواحدة|(?:ال)?مؤقتة)|(?:رمزك|رقمك\sالسري|الرمز\sالخاص\sبك|رمز\sotp)",
        weak=r"رمز|كود|الرمز|الكود",
        not_code=r"(?:رمز|كود)\s(?:ال)?(?:بريدي|خصم|منتج|عميل|قسيمة|خطأ|كوبون|شحن|تتبع)|الرمز\sالبريدي",
        not_number=r"طلب(?:ك|ية)?\s?(?:رقم)?|فاتورة|الشحن|تتبع|العميل|هاتف|الخصم|خصم|رقم\sالطلب",
        enter=r"(?:أدخل|ادخل|استخدم|اكتب)(?:\sالرمز|\sالكود|\sرمز|\sكود)?",
        purpose=r"لل?متابعة|لتسجيل|لل?تأكيد|لل?دخول|لل?تحقق|لإكمال",
        copula="هو|هي",
    ),
    "he": Language(
        strong=r"ה?קוד\s[הל]?(?:אימות|כניסה|התחברות|גישה|אבטחה|הפעלה|זיהוי|אישור|סודי|חד[\s-]?פעמי|שלך)|סיסמ[הא]\sחד[\s-]?פעמית|סיסמ[הא]\sזמנית",
        weak=r"ה?ב?קוד",
        not_code=r"קוד\s(?:ה)?(?:הנחה|מוצר|קופון|לקוח|פריט|שגיאה|מבצע)|ברקוד|מיקוד",
        not_number=r"הזמנה|חשבונית|לקוח|משלוח|מעקב|טלפון",
        enter=r"(?:הזן|הזינו|הקלד|הקלידו|השתמש|השתמשו)(?:\sאת)?(?:\sב?קוד)?",
        purpose=r"כדי\sל|על\sמנת\sל|להמשך",
        copula="הוא|היא",
    ),
    "fa": Language(
        strong=r"(?:کد|رمز|گذرواژه)[\s\u200c](?:تایید|تأیید|تائید|ورود|فعال[\s\u200c]?سازی|امنیتی|یک[\s\u200c]?بار|عبور|پویا|احراز|شما|دوم|موقت)",
        weak=r"کد|رمز",
        not_code=r"(?:کد|رمز)\s(?:پستی|تخفیف|رهگیری|کالا|محصول|مشتری|سفارش|ملی|خطا)",
        not_number=r"سفارش|فاکتور|رهگیری|مشتری|تلفن|تخفیف|مرسوله",
        enter=r"\b(?:کد)",
        entered=r"\sرا\s(?:وارد|استفاده)",
        purpose=r"برای\s|ادامه|ورود",
        copula="است|می[\\s\u200c]?باشد",
    ),
}  # fmt: skip
SOUTH = {
    "hi": Language(
        strong=r"(?:सत्यापन|वेरिफिकेशन|सुरक्षा|लॉगिन|लॉग\s?इन|पुष्टिकरण|पुष्टि|एक्सेस|सक्रियण|एक्टिवेशन|प्रमाणीकरण|वन-?\s?टाइम|एक\s?बार\sका)\s?(?:कोड|पासवर्ड|पिन)"
        r"|ओटीपी|आपका\s(?:\S{1,20}\s)?कोड",
        weak=r"कोड|पासवर्ड",
        not_code=r"पिन\s?कोड|(?:डिस्काउंट|छूट|प्रोमो|कूपन|उत्पाद|ग्राहक|त्रुटि)\s?कोड",
        not_number=r"ऑर्डर|चालान|ट्रैकिंग|ग्राहक|फ़ोन|फोन|छूट|डिस्काउंट",
        enter=r"(?:कोड)",
        entered=r"\s(?:कोड\s)?(?:दर्ज|डालें|का\sउपयोग|इस्तेमाल)",
        purpose=r"के\sलिए|जारी",
        copula="है",
    ),
    "th": Language(
        strong=r"รหัส(?:ยืนยัน|ผ่าน(?:ครั้งเดียว|แบบใช้ครั้งเดียว|ชั่วคราว)|\s?otp|ตรวจสอบ|ความปลอดภัย|รักษาความปลอดภัย|เข้าสู่ระบบ|ล็อกอิน|การยืนยัน|ลับ|เปิดใช้งาน|เข้าใช้งาน|ของคุณ)",
        weak=r"รหัส",
        not_code=r"รหัส(?:ไปรษณีย์|ส่วนลด|สินค้า|ลูกค้า|พัสดุ|คูปอง|โปรโมชั่น|สั่งซื้อ|การจอง)",
        not_number=r"คำสั่งซื้อ|ใบแจ้งหนี้|พัสดุ|ลูกค้า|โทร|ส่วนลด|หมายเลข",
        enter=r"(?:กรอก|ใส่|ป้อน|ใช้)(?:รหัส)?",
        purpose=r"เพื่อ",
        copula="คือ",
    ),
    "bn": Language(strong=r"(?:যাচাইকরণ|নিরাপত্তা|লগইন|ভেরিফিকেশন)\sকোড|ওটিপি", weak=r"কোড", not_number=r"অর্ডার|চালান", copula="হল|হলো"),
}  # fmt: skip
CJK = {
    "ja": Language(
        strong=r"(?:認証|確認|検証|セキュリティ|ワンタイム|ログイン|アクセス|本人確認|登録|アクティベーション)(?:用)?(?:の)?(?:コード|番号|パスワード|キー|パスコード|ピン)"
        r"|パスコード|暗証番号|確認用の?(?:コード|数字)",
        weak=r"(?<![一-龥])コード",
        not_code=r"[一-龥]様コード|(?:会員|顧客|社員|管理|地域|銀行|支店|国)コード|エラーコード|商品コード|クーポン(?:コード)?",
        not_number=r"注文|請求|受注|追跡|お問い合わせ番号|会員番号|予約|電話|郵便番号|お客様番号|伝票|領収|受付番号|ポイント",
        enter=r"コード",
        entered=r"を(?:入力|使用)",
        purpose=r"続け|ログイン|確認|認証|完了",
        copula="は|が|を",
    ),
    "zh": Language(
        strong=r"(?:验证|驗證|校验|校驗|动态|動態|确认|確認|安全|激活|认证|認證|登录|登錄|登入|一次性|临时|臨時)(?:代)?(?:码|碼|密码|密碼|口令)"
        r"|(?:验证|驗證|校验|安全|登录|登錄|登入)代[码碼]",
        weak=r"(?<![一-龥])代[码碼]",
        not_code=r"優惠碼|优惠码|折扣码|折扣碼|代金券|邮编|邮政编码|取件码|取件碼|提货码|商品编码",
        not_number=r"订单|訂單|发票|發票|快递|运单|運單|优惠|折扣|电话|電話|会员|會員|尾号|取件|单号|單號|客服|预订|金额",
        enter=r"(?:请输入|請輸入|输入|輸入|使用)(?:代码|代碼|验证码|驗證碼)?",
        purpose=r"以(?:继续|繼續|登录|登入|验证|驗證|完成)|进行(?:登录|验证)|继续|登录|登入",
        copula="为|為|是",
    ),
    "ko": Language(
        strong=r"(?:인증|확인|보안|로그인|본인\s?확인|일회용|일회성|임시|가입)\s?(?:번호|코드|비밀번호|암호|키|숫자)",
        weak=r"(?<![가-힣])(?<![가-힣]\s)코드",
        not_code=r"(?:할인|상품|쿠폰|제품|오류|프로모션|회원|고객|지역|국가|은행)\s?코드|쿠폰",
        not_number=r"주문|송장|운송장|할인|예약|전화|우편번호|회원번호|끝자리|고객번호|접수번호",
        enter=r"(?:코드)",
        entered=r"(?:을|를)?\s?(?:입력|사용)",
        purpose=r"계속|로그인|인증|확인",
        copula="은|는|이|가|을|를",
    ),
}  # fmt: skip

LANGUAGES = {**LATIN, **CYRILLIC, **GREEK, **SEMITIC, **SOUTH, **CJK}
_LETTERS = (
    (re.compile("[\u0400-\u04ff]"), tuple(CYRILLIC)),
    (re.compile("[\u0370-\u03ff]"), tuple(GREEK)),
    (re.compile("[\u0590-\u06ff]"), tuple(SEMITIC)),
    (re.compile("[\u0900-\u0eff]"), tuple(SOUTH)),
    (re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"), tuple(CJK)),
)
_SMALL_WORDS = {
    name: re.compile(rf"\s(?:{language.small_words})\s") for name, language in LATIN.items() if name != "en"
}
_SHORT = 400  # characters of a text whose language its small words do not show
_SAMPLE = 4000


def languages_of(text: str) -> list[str]:
    """The names of the languages that ``text`` (lower case) may be in; English is always one."""
    sample = text[:_SAMPLE]
    if len(text) <= _SHORT:
        found = list(LATIN)
    else:
        found = ["en"]
        for name, words in _SMALL_WORDS.items():
            first = words.search(sample)
            if first is not None and words.search(sample, first.end() - 1):
                found.append(name)
    if not sample.isascii():
        for letters, names in _LETTERS:
            if letters.search(sample):
                found += names
    return found
