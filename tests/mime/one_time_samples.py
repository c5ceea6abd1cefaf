"""Mails as services send them, with the one-time code and link they carry, and mails with numbers and links only."""
# ruff: noqa: E501 - a table, one mail a line

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """One mail and what is to be found in it."""

    name: str
    subject: str
    text: str | None
    html: str | None = None
    code: str | None = None
    link: str | None = None
    sender: str = "no-reply@acme.test"


def page(*blocks: str) -> str:
    """An HTML mail of the usual make: a head with styles, nested tables, a footer with links."""
    rows = "".join(
        f'<tr><td style="padding:8px 24px;font-size:15px;color:#333333">{one}</td></tr>' for one in blocks
    )
    return (
        "<html><head><style>body{margin:0;color:#112233} .x{color:#482910} @media(max-width:600px){.y{width:100%}}"
        '</style></head><body><div style="display:none">Preview 135790 text</div><table width="600"><tr><td>'
        f'<img src="https://img.acme.test/logo-20240611.png" alt="Acme"><table>{rows}</table>'
        '<p style="font-size:11px">Acme Inc., 1600 Market Street, San Francisco, CA 94103. © 2026 Acme. '
        '<a href="https://acme.test/unsubscribe?u=9f8e7d6c5b4a39281706">Unsubscribe</a> '
        '<a href="https://acme.test/privacy">Privacy</a> <a href="https://twitter.com/acme">Twitter</a></p>'
        "</td></tr></table></body></html>"
    )


def big(code: str) -> str:
    return f'<div style="font-size:32px;letter-spacing:6px;font-weight:bold">{code}</div>'


def button(label: str, url: str) -> str:
    return (
        f'<table><tr><td bgcolor="#0055ff" style="border-radius:4px"><a href="{url}" '
        f'style="color:#ffffff;padding:12px">{label}</a></td></tr></table>'
    )


LONG = "https://acme.test/verify-email?token=eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.s5Dk2LqPz8"
TRACK = "https://click.mail.acme.test/ls/click?upn=u001.Qx7Zk2mN9pLr4TvB8sWdYc3HfJgA6eUo"
RESET = "https://acme.test/password/reset/7c9e6679f1b24d1a8e5c0d3b9a8f7e6d"
MAGIC = "https://app.acme.test/auth/magic?token=Zt8kQ2vLx9RmN4pW7sYb"

POSITIVE = [
    # English
    Sample("en plain", "Verify your email", "Your verification code is 482913.\n\nIt expires in 10 minutes.", None, "482913"),
    Sample("en own line", "Your Acme login code", "Hi Bob,\n\nHere is your login code:\n\n704118\n\nThanks,\nAcme", None, "704118"),
    Sample("en grouped space", "Confirm it's you", "Enter this code to continue:\n\n482 913\n\nAcme", None, "482913"),
    Sample("en grouped hyphen", "Your Acme code", "Your Acme confirmation code is 731-205", None, "731205"),
    Sample("en google", "Google Verification Code", "G-483920 is your Google verification code.", None, "G-483920"),
    Sample("en slack", "Slack confirmation code: XQT-8KD", "Confirm your email address\n\nEnter this code in Slack:\n\nXQT-8KD\n", None, "XQT-8KD"),
    Sample("en letters dashed", "Confirm your email", "Your confirmation code is below.\n\nABC-DEF\n", None, "ABC-DEF"),
    Sample("en mixed", "Sign in to Acme", "Your one-time passcode is X7K9QP. Do not share it.", None, "X7K9QP"),
    Sample("en before", "Acme", "481920 is your Acme verification code. Don't share it with anyone.", None, "481920"),
    Sample("en subject only", "482913 is your Acme code", "Hi,\n\nuse it within ten minutes.\n\nAcme", None, "482913"),
    Sample("en subject colon", "Your Acme verification code: 552019", "Hello,\n\nThe code is in the subject.\n", None, "552019"),
    Sample("en four digits", "Your PIN", "Your access PIN is 4821.\n", None, "4821"),
    Sample("en five digits", "Telegram login", "Login code: 48213. Do not give this code to anyone.", None, "48213"),
    Sample("en seven", "Sign-in code", "Microsoft account\nSecurity code\n\nPlease use the following security code:\n\nSecurity code: 4829130\n", None, "4829130"),
    Sample("en eight", "Steam Guard", "Here is the authentication code you need to log in:\n\n48291305\n", None, "48291305"),
    Sample("en steam", "Your Steam account", "Login Code\n\nR4KFQ\n\nThis email was generated because of a login attempt.", None, "R4KFQ"),
    Sample("en otp", "OTP for login", "Dear customer, 908172 is the OTP for your login. Valid for 5 minutes.", None, "908172"),
    Sample("en html big", "Verify your email", "View in an HTML client", page("Hi Bob,", "Your verification code is:", big("482913"), "It expires in 15 minutes."), "482913"),
    Sample("en html boxes", "Your code", None, page("Enter this verification code", "<table><tr>" + "".join(f'<td style="font-size:28px">{d}</td>' for d in "482913") + "</tr></table>"), "482913"),
    Sample("en html grouped", "Sign in", None, page("Use the code below to sign in to your account.", big("482&nbsp;913"), "If you did not request this, ignore this email."), "482913"),
    Sample("en html no label", "Your sign-in code", None, page("Welcome back!", big("59301"), "Valid for 10 minutes. Order 88213 is waiting in your cart."), "59301"),
    Sample("en html heading", "Acme verification", None, page("<h1>Confirm your e-mail address</h1>", "Please enter the following code on the page where you requested it:", '<p style="font-size:24px"><b>GH72KQ</b></p>'), "GH72KQ"),
    Sample("en year like", "Your code", "Your verification code is: 2024", None, "2024"),
    Sample("en with order", "Verify", "You placed order 99812. Your verification code is 482913.", None, "482913"),
    Sample("en two numbers", "Security code", "Someone signed in from 10115 Berlin on 2026-01-05 at 18:45.\n\nYour security code: 318204\n\nCall +1 (555) 010-4477 for help.", None, "318204"),
    Sample("en 2fa", "Two-factor authentication", "Your two-factor code is 118 204.", None, "118204"),
    Sample("en github", "[GitHub] Please verify your device", "A sign in attempt requires further verification.\n\nDevice: Chrome on Linux\nVerification code: 118204\n\nIf you did not attempt to sign in to your account, your password may be compromised.", None, "118204"),
    Sample("en aws", "AWS Email Verification Code", "Verification Code\n\n093211\n\n(This code will expire 10 minutes after it was sent.)", None, "093211"),
    Sample("en bank", "Your one time password", "Use 774 201 as your one-time password for the transfer.", None, "774201"),
    # German
    Sample("de plain", "Ihr Bestätigungscode", "Ihr Bestätigungscode lautet: 482913\n\nEr ist 10 Minuten gültig.", None, "482913"),
    Sample("de own line", "Anmeldung bei Acme", "Hallo Bob,\n\ngib diesen Code ein, um dich anzumelden:\n\n770 412\n\nDein Acme-Team", None, "770412"),
    Sample("de pin", "Ihre PIN", "Ihr Sicherheitscode für die Anmeldung: 5501", None, "5501"),
    Sample("de html", "Dein Einmalcode", None, page("Hallo,", "dein Einmalpasswort:", big("903417"), "Gib es niemandem weiter. Kundennummer 100200300."), "903417"),
    Sample("de before", "Acme", "301984 ist dein Verifizierungscode für Acme.", None, "301984"),
    # French
    Sample("fr plain", "Votre code de vérification", "Bonjour,\n\nvotre code de vérification est : 482913\n\nIl expire dans 10 minutes.", None, "482913"),
    Sample("fr own line", "Connexion à Acme", "Voici votre code de connexion :\n\n719 204\n\nNe le partagez pas.", None, "719204"),
    Sample("fr single use", "Code à usage unique", "Saisissez le code à usage unique 55120931 pour continuer.", None, "55120931"),
    Sample("fr html", "Confirmez votre adresse", None, page("Bonjour Bob,", "Saisissez le code de confirmation suivant :", big("K7P2XM")), "K7P2XM"),
    # Spanish
    Sample("es plain", "Tu código de verificación", "Hola:\n\nTu código de verificación es 482913. Caduca en 10 minutos.", None, "482913"),
    Sample("es own line", "Inicio de sesión", "Usa este código para iniciar sesión:\n\n605 118\n", None, "605118"),
    Sample("es clave", "Clave temporal", "Su clave dinámica de acceso: 77120934", None, "77120934"),
    Sample("es html", "Confirma tu correo", None, page("Introduce el código de confirmación en la página:", big("390152")), "390152"),
    # Portuguese, Italian, Dutch, Polish, Russian
    Sample("pt plain", "Seu código de acesso", "Olá,\n\nseu código de verificação é 118293.\n", None, "118293"),
    Sample("it plain", "Codice di verifica", "Ciao,\n\nil tuo codice di verifica è: 662019\n", None, "662019"),
    Sample("nl plain", "Je verificatiecode", "Hoi,\n\nje verificatiecode is 552013.\n", None, "552013"),
    Sample("pl plain", "Kod weryfikacyjny", "Twój kod weryfikacyjny to: 440912\n", None, "440912"),
    Sample("ru plain", "Код подтверждения", "Здравствуйте!\n\nВаш код подтверждения: 913 204\n", None, "913204"),
    Sample("ru below", "Вход в аккаунт", "Код для входа:\n\n70412\n\nНикому его не сообщайте.", None, "70412"),
    Sample("sv plain", "Din verifieringskod", "Din verifieringskod är 330912.", None, "330912"),
    # Japanese, Chinese, Korean
    Sample("ja plain", "【Acme】認証コードのお知らせ", "いつもご利用ありがとうございます。\n\n認証コード：482913\n\n有効期限は10分です。", None, "482913"),
    Sample("ja own line", "ログイン確認", "以下の確認コードを入力してください。\n\n７０４１１８\n\n", None, "704118"),
    Sample("ja sentence", "Acme", "あなたのワンタイムパスワードは 918273 です。", None, "918273"),
    Sample("ja html", "メールアドレスの確認", None, page("確認コードを画面に入力してください。", big("5512"), "ご注文番号 20260105 とは関係ありません。"), "5512"),
    Sample("zh plain", "Acme 验证码", "您的验证码是：482913，5分钟内有效，请勿泄露。", None, "482913"),
    Sample("zh tight", "登录", "【Acme】验证码703918，用于登录，10分钟内有效。", None, "703918"),
    Sample("zh before", "Acme", "【Acme】482913（登录验证码），请勿告诉他人。", None, "482913"),
    Sample("zh hant", "驗證碼通知", "您好：\n\n您的驗證碼為 662913\n\n請於 10 分鐘內輸入。", None, "662913"),
    Sample("ko plain", "[Acme] 인증번호 안내", "안녕하세요.\n\n인증번호는 482913 입니다.\n", None, "482913"),
    Sample("ko own line", "이메일 확인", "아래 인증 코드를 입력해 주세요.\n\n309 417\n", None, "309417"),
    # links
    Sample("link en button", "Confirm your email", None, page("Thanks for signing up!", button("Verify email address", LONG)), None, LONG),
    Sample("link en tracked", "Please confirm your email address", None, page("One more step.", button("Confirm", TRACK), "Or ignore this mail."), None, TRACK),
    Sample("link en text", "Activate your account", f"Hi Bob,\n\nto activate your account, open this link:\n\n{LONG}\n\nAcme", None, None, LONG),
    Sample("link en reset", "Reset your password", None, page("We received a request to reset your password.", button("Reset password", RESET), "If you didn't request this, ignore it."), None, RESET),
    Sample("link en reset text", "Password reset", f"Someone asked for a new password. Reset your password here: {RESET} (valid for an hour).", None, None, RESET),
    Sample("link en magic", "Your sign-in link", None, page("Click the button below to sign in to Acme. This link expires in 15 minutes.", button("Sign in to Acme", MAGIC)), None, MAGIC),
    Sample("link en magic text", "Log in to Acme", f"Here is your magic link:\n{MAGIC}\n", None, None, MAGIC),
    Sample("link en both", "Verify your email", None, page("Your verification code is", big("118204"), "or press the button:", button("Verify email", LONG)), "118204", LONG),
    Sample("link en firebase", "Verify your email for Acme", "Hello,\n\nFollow this link to verify your email address.\n\nhttps://acme.firebaseapp.test/__/auth/action?mode=verifyEmail&oobCode=Qk3xZ7pL9mT2vR8w&apiKey=AIzaSyB1&lang=en\n\nThanks", None, None, "https://acme.firebaseapp.test/__/auth/action?mode=verifyEmail&oobCode=Qk3xZ7pL9mT2vR8w&apiKey=AIzaSyB1&lang=en"),
    Sample("link en newsletter", "Confirm your subscription", None, page("You asked for our newsletter.", button("Yes, confirm my subscription", TRACK)), None, TRACK),
    Sample("link en invite", "Bob invited you to Acme", None, page("Bob has invited you to join the team Acme.", button("Accept invitation", "https://acme.test/invite/8f14e45fceea167a5a36dedd4bea2543")), None, "https://acme.test/invite/8f14e45fceea167a5a36dedd4bea2543"),
    Sample("link de button", "Bitte bestätige deine E-Mail-Adresse", None, page("Schön, dass du da bist!", button("E-Mail-Adresse bestätigen", LONG)), None, LONG),
    Sample("link de reset", "Passwort zurücksetzen", f"Hallo,\n\nüber diesen Link kannst du dein Passwort zurücksetzen:\n\n{RESET}\n", None, None, RESET),
    Sample("link fr button", "Confirmez votre adresse e-mail", None, page("Bienvenue !", button("Confirmer mon adresse", LONG)), None, LONG),
    Sample("link fr reset", "Réinitialisation de votre mot de passe", None, page("Cliquez ci-dessous :", button("Réinitialiser mon mot de passe", RESET)), None, RESET),
    Sample("link es button", "Confirma tu cuenta", None, page("¡Hola!", button("Verificar mi correo", LONG)), None, LONG),
    Sample("link es reset", "Restablecer contraseña", f"Para restablecer tu contraseña visita\n{RESET}\n", None, None, RESET),
    Sample("link ja", "メールアドレスの確認", f"ご登録ありがとうございます。\n以下のURLをクリックしてメールアドレスを確認してください。\n\n{LONG}\n", None, None, LONG),
    Sample("link ja reset", "パスワード再設定のご案内", None, page("下のボタンからお手続きください。", button("パスワードを再設定する", RESET)), None, RESET),
    Sample("link zh", "请验证您的邮箱", None, page("感谢注册。", button("验证邮箱", LONG)), None, LONG),
    Sample("link ko", "이메일 인증", None, page("가입해 주셔서 감사합니다.", button("이메일 인증하기", LONG)), None, LONG),
    Sample("link pt", "Confirme seu e-mail", None, page("Bem-vindo!", button("Confirmar e-mail", LONG)), None, LONG),
    Sample("link it", "Conferma il tuo indirizzo", None, page("Ciao!", button("Conferma indirizzo email", LONG)), None, LONG),
    Sample("link nl", "Bevestig je e-mailadres", None, page("Welkom!", button("Bevestig je e-mailadres", LONG)), None, LONG),
    Sample("link ru", "Подтвердите адрес", None, page("Спасибо за регистрацию!", button("Подтвердить адрес", LONG)), None, LONG),
    # as services word them
    Sample("w chatgpt", "Your ChatGPT code is 904217", "Enter this temporary verification code to continue:\n\n904217\n\nPlease ignore this email if this wasn't you trying to create a ChatGPT account.", None, "904217"),
    Sample("w instagram", "318204 is your Instagram code", "Hi,\n\nSomeone tried to sign up for an Instagram account with bob@h.test. If it was you, enter this confirmation code in the app:\n\n318204\n", None, "318204"),
    Sample("w x", "Your X confirmation code is r7k2m9qx", "Confirm your email address\n\nPlease enter this verification code to get started on X:\n\nr7k2m9qx\n\nVerification codes expire after two hours.", None, "r7k2m9qx"),
    Sample("w microsoft", "Your single-use code", "Hi bob,\n\nWe received your request for a single-use code to use with your Microsoft account.\n\nYour single-use code is: 4829137\n\nOnly enter this code on an official website.", None, "4829137"),
    Sample("w npm", "OTP for logging in to your account: bob", "Hi bob!\n\nHere is your one-time password:\n\n48291357\n\nIt was requested from 203.0.113.7.", None, "48291357"),
    Sample("w amazon", "Verify your new account", None, page("To verify your email address, please use the following One Time Password (OTP):", "<p>663018</p>", "Do not share this OTP with anyone."), "663018"),
    Sample("w amazon de", "Verifizieren Sie Ihr neues Konto", None, page("Um Ihre E-Mail-Adresse zu verifizieren, verwenden Sie bitte das folgende Einmalkennwort (OTP):", "<p>663018</p>"), "663018"),
    Sample("w amazon fr", "Vérifiez votre nouveau compte", None, page("Pour vérifier votre adresse e-mail, veuillez utiliser le mot de passe à usage unique (OTP) suivant :", "<p>663018</p>"), "663018"),
    Sample("w amazon es", "Verifica tu nueva cuenta", None, page("Para verificar tu dirección de e-mail, utiliza la siguiente contraseña de un solo uso (OTP):", "<p>663018</p>"), "663018"),
    Sample("w amazon ja", "新しいアカウントの確認", None, page("Eメールアドレスを認証するには、以下のワンタイムパスワード（OTP）を使用してください：", "<p>663018</p>"), "663018"),
    Sample("w whatsapp", "WhatsApp", "Your WhatsApp code: 731-205\n\nYou can also tap on this link to verify your phone: v.whatsapp.com/731205\n\nDon't share this code with others", None, "731205"),
    Sample("w line", "LINE", "認証番号「4821」をLINEで入力して下さい。30分間有効です。", None, "4821"),
    Sample("w wechat", "微信", "你的微信验证码是 904217，请勿转发给他人。", None, "904217"),
    Sample("w naver", "네이버", "네이버 인증번호는 [904217] 입니다. 3분 이내에 입력해 주세요.", None, "904217"),
    Sample("w vk", "ВКонтакте", "Ваш код: 904 217. Никому его не говорите.", None, "904217"),
    Sample("w zoom signin", "Code for signing in to Zoom", "Your one-time code is 318204.\nIt expires in 10 minutes.", None, "318204"),
    Sample("w stripe", "Your Stripe verification code", "731-205\n\nThis verification code is valid for 10 minutes.", None, "731205"),
    Sample("w pairing", "Pair your TV", "Pairing code: KX7P-22QM", None, "KX7P-22QM"),
    Sample("w requested", "Signing in", "Here's the 6-digit code you requested: 318204", None, "318204"),
    Sample("w use to", "Acme", "Use 318204 to verify your identity. If this wasn't you, call us.", None, "318204"),
    Sample("w fr identification", "Impots", "Votre code d'identification est 318204. Il est valable 15 minutes.", None, "318204"),
    Sample("w es sms", "Banco", "Usa 318204 como tu código de verificación. No lo compartas.", None, "318204"),
    Sample("w pt nubank", "Código de segurança", None, page("Olá, Bob", "Use o código abaixo para entrar:", big("4821")), "4821"),
    Sample("w bank otp", "OTP for your transaction", "318204 is the OTP for your transaction of EUR 50.00 at Acme on card ending in 4821.", None, "318204"),
    Sample("w django", "Password reset on site.test", "You're receiving this email because you requested a password reset for your user account at site.test.\n\nPlease go to the following page and choose a new password:\n\nhttps://site.test/accounts/reset/MQ/cz1x9k-5f2b8d7a6c4e3f1a0b9c8d7e6f5a4b3c/\n\nYour username is bob.", None, None, "https://site.test/accounts/reset/MQ/cz1x9k-5f2b8d7a6c4e3f1a0b9c8d7e6f5a4b3c/"),
    Sample("w wordpress", "[Blog] Login Details", "Username: bob\n\nTo set your password, visit the following address:\n\nhttps://blog.test/wp-login.php?action=rp&key=Qx7Zk2mN9pLr4TvB8sWd&login=bob\n\nhttps://blog.test/wp-login.php\n", None, None, "https://blog.test/wp-login.php?action=rp&key=Qx7Zk2mN9pLr4TvB8sWd&login=bob"),
    Sample("w devise", "Confirmation instructions", None, '<p>Welcome bob@h.test!</p><p>You can confirm your account email through the link below:</p><p><a href="https://app.test/users/confirmation?confirmation_token=xK2vLx9RmN4pW7sYbQ">Confirm my account</a></p>', None, "https://app.test/users/confirmation?confirmation_token=xK2vLx9RmN4pW7sYbQ"),
    Sample("w supabase", "Confirm Your Signup", None, '<h2>Confirm your signup</h2><p>Follow this link to confirm your user:</p><p><a href="https://xyz.supabase.test/auth/v1/verify?token=pkce_5f2b8d7a6c4e&type=signup&redirect_to=https://app.test">Confirm your mail</a></p>', None, "https://xyz.supabase.test/auth/v1/verify?token=pkce_5f2b8d7a6c4e&type=signup&redirect_to=https://app.test"),
    Sample("w claude", "Secure link to log in to Claude.ai", None, page("Let's get you signed in", button("Sign in to Claude.ai", MAGIC), "If you didn't request this email, there's nothing to worry about."), None, MAGIC),
    Sample("w mailchimp", "Acme News: Please Confirm Subscription", None, page("Please Confirm Subscription", button("Yes, subscribe me to this list.", "https://acme.us1.list-manage.test/subscribe/confirm?u=5f2b8d7a6c4e3f1a&id=9c8d7e6f5a&e=4b3c2d1e0f")), None, "https://acme.us1.list-manage.test/subscribe/confirm?u=5f2b8d7a6c4e3f1a&id=9c8d7e6f5a&e=4b3c2d1e0f"),
    Sample("w vercel", "Verify your email to log in to Vercel", None, page("To complete the login process, please click the button below:", button("VERIFY", "https://vercel.test/confirm?email=bob%40h.test&token=Zt8kQ2vLx9RmN4pW7sYb&mode=login")), None, "https://vercel.test/confirm?email=bob%40h.test&token=Zt8kQ2vLx9RmN4pW7sYb&mode=login"),
    Sample("w shown url", "Verify your email address", None, page("To verify your email address, open", f'<a href="{TRACK}">https://acme.test/verify</a>'), None, TRACK),
    Sample("w discourse", "[Forum] Confirm your new account", "Welcome to Forum!\n\nClick the following link to confirm and activate your new account:\nhttps://forum.test/u/activate-account/5f2b8d7a6c4e3f1a0b9c8d7e\n\nIf the above link is not clickable, try copying and pasting it.", None, None, "https://forum.test/u/activate-account/5f2b8d7a6c4e3f1a0b9c8d7e"),
]  # fmt: skip

NEGATIVE = [
    Sample("order", "Order confirmation", "Thank you for your order!\n\nOrder number: 482913\nTotal: $48.29\n", None),
    Sample("order own line", "Your order is confirmed", "Your order number is\n\n482913\n\nTrack it here: https://acme.test/orders/482913\n", None),
    Sample("order html", "Order #482913 confirmed", None, page("Thanks, Bob!", big("Order 482913"), button("View your order", "https://acme.test/orders/482913?t=abcdef1234567890ABCD"))),
    Sample("invoice", "Invoice INV-482913", "Please find attached invoice INV-482913 of 2026-01-05 over EUR 4829.13.\n", None),
    Sample("receipt", "Your receipt from Acme", "Receipt #2045-8821\nAmount paid $4829\nVisa ending in 4242\n", None),
    Sample("tracking", "Your parcel is on its way", "Tracking number: 1Z999AA10123456784\nDelivery code area 48291\n", None),
    Sample("shipping pin free", "Shipment 482913", "Your shipment 482913 has left the depot.", None),
    Sample("year", "Looking back at 2025", "It was a good year.\n\n2025\n\nSee you in 2026! Use our code of conduct.", None),
    Sample("price", "Your quote", "The total comes to 4829 USD, or 5,129 with tax. The dress code is casual.", None),
    Sample("phone", "Call me", "My number is +1 555 010 4477 or 0800 482913. The code word is banana.", None),
    Sample("phone grouped", "Security code of practice", "Our security code of practice is attached. Phone 555-0199 or 020 7946 0991.", None),
    Sample("postcode", "Change of address", "New address: Acme GmbH, Musterstr. 12, 10115 Berlin. Postleitzahl 10115.", None),
    Sample("zip", "Where we are", "Our ZIP code is 94103 and the area code is 4150.", None),
    Sample("iban", "Bank details", "IBAN: DE89 3704 0044 0532 0130 00\nBIC: COBADEFFXXX\n", None),
    Sample("discount", "20% off", "Use code SAVE2024 at checkout for 20% off your next order.", None),
    Sample("discount own line", "A gift for you", "Your promo code:\n\nWELCOME10\n\nShop now!", None),
    Sample("discount html", "Black Friday", None, page("Your discount code", big("BF2026"), button("Shop now", TRACK))),
    Sample("discount weak", "Your code inside", "Your code SPRING25 gives you 25% off. Valid until Sunday.", None),
    Sample("gift card", "You received a gift card", "Gift card code: 8HXK-22PQ-91LM\nAmount: $50\n", None),
    Sample("error code", "Build failed", "The deployment failed with error code 504123 after 1800 seconds.", None),
    Sample("status code", "Alert", "Endpoint returned status code 5031 for 12345 requests.", None),
    Sample("no code sent", "Security notice", "We will never ask you for your verification code by phone. This notice was sent on 5 January 2026 from 1600 Market Street.", None),
    Sample("expired notice", "Your code has expired", "Your verification code has expired. Please request a new one. Acme, PO Box 48291, 94103 San Francisco", None),
    Sample("meeting", "Zoom meeting", "Join Zoom Meeting\nhttps://zoom.test/j/98765432101?pwd=QmFzZTY0c3RyaW5nMTIz\n\nMeeting ID: 987 6543 2101\n", None),
    Sample("date", "Dinner", "Shall we say 05.01.2026 at 19:30? The entry code of the party is silence.", None),
    Sample("flight", "Your itinerary", "Booking reference: X7K9QP\nFlight LH4829, gate B42, 05 Jan 2026\n", None),
    Sample("hotel", "Reservation confirmed", "Your reservation code: HMABC48291. Check-in 15:00.", None),
    Sample("hotel confirmation no", "Booking confirmed", "Confirmation number: 48291305\nRoom 1204\n", None),
    Sample("ticket", "[Ticket 482913] Printer", "Re: ticket 482913. Has the printer code been updated to version 4.8291?", None),
    Sample("support", "Case 00482913", "Your case number is 00482913. A code sample is attached.", None),
    Sample("jira", "ABC-48291 was updated", "Bob commented on ABC-48291: the code is merged in commit 9f8e7d6.", None),
    Sample("code review", "Code review", "Please review the code in pull request 48291. The code is 1200 lines long.", None),
    Sample("github pr", "[acme/app] Fix login code (#48213)", "@bob pushed 2 commits.\n\n482913a Fix login code\n\nReply to this email directly or view it on GitHub:\nhttps://github.test/acme/app/pull/48213\n", None),
    Sample("newsletter", "This week in code", None, page("1024 new projects, 20480 stars.", button("Read more", TRACK), button("Sign in", "https://acme.test/login"))),
    Sample("login notice", "New sign-in to your account", "We noticed a new sign-in from Chrome 120 on Windows 10, IP 192.168.10.12, on January 5, 2026.\nIf this was you, ignore this mail.", None),
    Sample("backup codes", "Your recovery codes", "Store your backup codes safely:\n\n48291305\n77120934\n55120931\n", None),
    Sample("statistics", "Weekly report", "Visits: 482913\nSign-ups: 1204\nCode coverage: 8213 of 9001 lines\n", None),
    Sample("serial", "Warranty", "Serial number 482913557, product code 48291.", None),
    Sample("sku", "Back in stock", "Item code 482913 is back in stock, only 1299 left!", None),
    Sample("hex colour", "Brand colours", "Our colours are #482913 and #1a2b3c. The code is in the style guide.", None),
    Sample("hex in html", "Hello", '<p style="color:#482913">hi</p>', page('<span style="color:#482913;background:#123456">Our new brand code</span>')),
    Sample("insurance", "Policy documents", "Policy number 48291305, customer number 771204.", None),
    Sample("country code", "Roaming", "The country code is 0049 and the dialling code 00351.", None),
    Sample("card", "Payment received", "We charged the card ending in 4821 with 129.00 EUR. Auth of transaction 774201 done.", None),
    # other languages
    Sample("de order", "Ihre Bestellung", "Bestellnummer: 482913\nRechnungsnummer: 20260105\nKundennummer 771204\n", None),
    Sample("de discount", "Ihr Gutschein", "Ihr Gutscheincode: HERBST25\n\nEinlösbar bis 31.12.2026.", None),
    Sample("de plz", "Umzug", "Neue Postleitzahl: 10115. Telefon 030 482913.", None),
    Sample("de parcel", "Sendung unterwegs", "Sendungsnummer 00340434161094021501, Abholung ab 18:00 Uhr.", None),
    Sample("fr order", "Votre commande", "Numéro de commande : 482913\nCode postal : 75011\nTotal : 48,29 €", None),
    Sample("fr promo", "Offre", "Profitez du code promo NOEL2025 : 2025 articles à -20 %.", None),
    Sample("es order", "Tu pedido", "Número de pedido: 482913\nCódigo postal: 28013\nTotal: 4829 EUR", None),
    Sample("es discount", "Descuento", "Tu código de descuento es VERANO25.", None),
    Sample("pt order", "Pedido recebido", "Pedido 482913. Código de rastreio: BR482913557. CEP 01310-100.", None),
    Sample("it order", "Il tuo ordine", "Ordine n. 482913, codice fiscale RSSMRA85T10A562S, codice cliente 77120.", None),
    Sample("nl order", "Je bestelling", "Bestelling 482913 is onderweg. Kortingscode ZOMER25.", None),
    Sample("ru order", "Ваш заказ", "Номер заказа: 482913. Промокод: LETO2026. Телефон 8 800 555-35-35.", None),
    Sample("ja order", "ご注文の確認", "ご注文番号：482913\n郵便番号：1000001\n合計：4829円\n", None),
    Sample("ja coupon", "クーポンのお知らせ", "クーポンコード：SUMMER25\n有効期限 2026年8月31日", None),
    Sample("zh order", "订单已发货", "您的订单482913已发货，快递单号 77120934，合计4829元。", None),
    Sample("zh coupon", "优惠", "优惠码：SAVE2026，满2026元可用。", None),
    Sample("ko order", "주문 완료", "주문번호: 482913\n운송장번호 77120934\n합계 48290원", None),
    # links
    Sample("link unsubscribe", "News", "Read the news.\n\nUnsubscribe: https://acme.test/unsubscribe?verify=4a400554148256338956101abdf06406\nTo confirm your email preferences visit https://acme.test/preferences?token=eyJhbGciOiJIUzI1NiJ9", None),
    Sample("link order", "Order confirmation", None, page("Thank you for your order.", button("View order", TRACK), button("Track your parcel", TRACK))),
    Sample("link login plain", "Monthly statement", None, page("Your statement is ready.", button("Log in", "https://bank.test/login"))),
    Sample("link social", "Follow us", None, page("Verify your account on Twitter", '<a href="https://twitter.com/acme/verify?token=eyJhbGciOiJIUzI1NiJ9">Verify email</a>')),
    Sample("link image", "Hello", None, page('<img src="https://acme.test/verify/eyJhbGciOiJIUzI1NiJ9.png" alt="verify email">')),
    Sample("link not you", "New sign-in", None, page("A new device signed in.", '<a href="https://acme.test/security/secure?token=eyJhbGciOiJIUzI1NiJ9">This wasn\'t me</a>')),
    Sample("link mailto", "Confirm your email", "To confirm your email write to mailto:confirm@acme.test", None),
    Sample("link javascript", "Confirm your email", None, '<a href="javascript:confirm(\'1234567890abcdef1\')">Confirm your email</a>'),
    Sample("link survey", "How did we do?", None, page("Please confirm your satisfaction.", button("Take the survey", TRACK))),
    Sample("link newsletter", "What's new in Acme", None, page("Log in to see what is new.", button("See what's new", TRACK), button("Get started", TRACK))),
    Sample("link docs", "Welcome to Acme", None, page("Read how to reset your password in our docs:", '<a href="https://docs.acme.test/guide">Guide</a>')),
    Sample("link rsvp", "Invitation: Dinner", None, page("Dinner on Friday", button("Confirm attendance", TRACK))),
    # numbers that stand near words for codes
    Sample("n zoom passcode", "Invitation: Weekly", "Bob is inviting you to a scheduled Zoom meeting.\n\nMeeting ID: 987 6543 2101\nPasscode: 482913\n", None),
    Sample("n dial in", "Conference call", "Join the conference call: +1 555 010 4477, access code 4829137#", None),
    Sample("n card slip", "Your receipt", "Merchant: Acme\nTotal: 48.29 EUR\nAuthorization code: 048291\nTerminal 77120934\n", None),
    Sample("n talk", "Re: login code", "Hi Bob,\n\nI changed the login code yesterday, see line 1204 of auth.py; 4096 tests pass.\n\nAlice", None),
    Sample("n talk 2", "Verification code design", "Should verification codes have six digits? Last year 48213 people typed theirs wrong, in 2025 even more.", None),
    Sample("n promo member", "Spring sale", "Your member number 48213 gets you in from 08:00. Code of the day: none.", None),
    Sample("n course", "Enrolment", "Course code 10123, room 4821. Your enrolment key will follow.", None),
    Sample("n pin board", "Pin board", "Pinned 1204 photos to the board. PIN code of the region: 560001.", None),
    Sample("n token market", "Token prices", "The token trades at 4829 USD, up 1204 points.", None),
    Sample("n password changed", "Your password was changed", "Your password was changed on 5 January 2026 at 10:15 from 192.0.2.14. Reference 482913.", None),
    Sample("n stack", "Exit code 13700", "Process ended with exit code 13700\nat main.py:4821\ntoken 48291 unexpected", None),
    Sample("n de vorgang", "Vorgang 482913", "Ihr Vorgang 482913 wird bearbeitet. Bitte geben Sie die Nummer bei Rückfragen an.", None),
    Sample("n fr dossier", "Votre dossier", "Numéro de dossier : 482913. Code client : 77120. Tél. 01 23 45 67 89", None),
    Sample("n es cita", "Su cita", "Su cita es el 05/01/2026 a las 10:30. Código postal 28013, referencia 482913.", None),
    Sample("n ja uketsuke", "お問い合わせ", "受付番号：482913\n商品コード：77120\n電話：03-1234-5678\n", None),
    Sample("n zh pickup", "取件通知", "您的包裹已到，取件码 4829，请凭单号 77120934 领取。", None),
    Sample("n link agenda", "Agenda", "To confirm the agenda see https://docs.acme.test/d/1Qx7Zk2mN9pLr4TvB8sWdYc3Hf/edit before Monday.", None),
    Sample("n link pr", "Re: [acme/app] Verify email on sign-up (#12)", "Merged. See https://github.test/acme/app/pull/12#issuecomment-4829134821 and https://ci.test/runs/5f2b8d7a6c4e3f1a0b9c8d7e", None),
    Sample("n link statement", "Your statement", None, page("Your statement for January is ready.", button("View statement", TRACK), button("Update your preferences", TRACK))),
    Sample("n link promo", "Activate your 20% discount", None, page("Only today!", button("Activate your discount", TRACK))),
    Sample("n link footer", "Weekly digest", None, page("Five articles for you.", button("Read", TRACK), "You get this because you confirmed your email address at Acme.", '<a href="https://acme.test/account/5f2b8d7a6c4e3f1a0b9c">Your account</a>')),
]  # fmt: skip
