"""Words of instructions to machines by what they mean, in the languages of ``mime.one_time.languages`` and some more.

Words are stems: they stand for all that begins with them, with ``=`` for themselves alone. What a word means is the same
in all languages, so a sentence that mixes languages reads like any other.
"""
# ruff: noqa: E501 - tables of words

from __future__ import annotations

from functools import lru_cache

from gateway.mime.risk.folding import fold


class Means:
    """What a word is about, as bits: they are compared for each word of a mail."""

    IGNORE = 1 << 0  # ignore, forget, disregard
    BEFORE = 1 << 1  # previous, above
    RULES = 1 << 2  # instructions, prompt
    TASK = 1 << 3  # request, task, conversation
    ALL = 1 << 4
    NEW = 1 << 5
    ANSWER = 1 << 6  # response, reply, summary
    PUT = 1 << 7  # include, repeat, translate
    STRING = 1 << 8  # string, sentence, exactly
    YOU_ARE = 1 << 9
    NOW = 1 << 10
    MACHINE = 1 << 11  # assistant, AI
    SYSTEM = 1 << 12
    REVEAL = 1 << 13
    ACT = 1 << 14  # send, forward, delete
    MODE = 1 << 15
    DEVELOPER = 1 << 16
    LIMITS = 1 << 17  # restrictions, unrestricted
    TEST = 1 << 18
    SUMMARIZE = 1 << 19
    INSTEAD = 1 << 20
    MAIL = 1 << 21  # email, message, invoice: what people ask one another to ignore
    NAMED = 1 << 22  # products that are machines
    IF = 1 << 23
    SEND = 1 << 30  # of what is done, what takes something out
    SECRET = 1 << 24  # passwords, codes, contacts: what such instructions are after


_NAMES = {
    "ignore": Means.IGNORE, "before": Means.BEFORE, "rules": Means.RULES, "task": Means.TASK, "all": Means.ALL,
    "new": Means.NEW, "answer": Means.ANSWER, "put": Means.PUT, "string": Means.STRING, "you": Means.YOU_ARE,
    "now": Means.NOW, "ai": Means.MACHINE, "system": Means.SYSTEM, "reveal": Means.REVEAL, "act": Means.ACT,
    "mode": Means.MODE, "dev": Means.DEVELOPER, "limits": Means.LIMITS, "test": Means.TEST,
    "sum": Means.SUMMARIZE, "instead": Means.INSTEAD, "mail": Means.MAIL, "named": Means.NAMED, "if": Means.IF,
    "secret": Means.SECRET, "send": Means.SEND | Means.ACT, "sysrules": Means.SYSTEM | Means.RULES,
}  # fmt: skip

LANGUAGES = {
    "compounds": "sysrules: systemanweis systemprompt systeminstru systemregel systeeminstru systeempro jarjestelmakehot jarjestelmaohj rendszerutasit rendszerprompt systeminstruks",
    "en": "ignore: void= aside= ignore disregard forget override overrule bypass discard regardless neglect; before: previous= prior= above= earlier= preceding foregoing pre-existing preexisting before= former= original= initial= existing=; rules: instruction prompt= prompts= directive guideline rules= rule= commands= command= programming=; task: request task= tasks= orders= context= conversation input= boundaries constraints; all: all= any= every= everything= anything=; new: new= updated= urgent= important= priority= revised=; answer: response reply= answer= output= summary= completion=; put: include insert append repeat print= output= translate encode decode write= say= respond= embed prepend recite begin=; string: string= strings= sentence word= words= phrase exactly= verbatim= base64 literal anchor=; now: now= henceforth=; ai: assistant ai= llm= llms= chatbot bot= agent= agents= ais= a.i= model=; named: chatgpt gpt gemini= claude= copilot= llama= grok=; system: system=; reveal: reveal print= show= repeat= output= disclose leak= tell= display=; send: send= forward= transfer= email= share= upload= export= copy=; act: delete= reply= download= execute= run= click= open= visit= call= book= pay= create= change= update= post= search= respond= summarize= approve= purchase= buy= confirm= grant= append= move= mark= perform= answer= collect=; mode: mode=; dev: developer= debug= god= admin= administrator= maintenance= sudo= root= jailbreak jailbroken dan= unrestricted= unfiltered= experimental=; limits: restriction unrestricted limitless constraints= filters= uncensored= unfiltered= limits= guardrail boundaries= censorship=; test: test= testing= debugging= debug= experimental= experiment training= academic= educational= exercise=; sum: summarize summarise summary=; instead: instead=; mail: email= emails= mail= mails= message= messages= invoice invoices= reminder reminders= notice notices= letter letters= newsletter; if: if= when= whether=; secret: password passwords= passcode credential token= tokens= code= codes= contacts= invoice invoices= inbox= files= keys= api= documents= attachments= iban= transaction transactions= calendar= messages= emails=",
    "de": "ignorier ignorieren: ; ignore: ignorier missacht vergiss vergesst vergessen= beachte= ubergeh verwirf ungeachtet uberschreib; before: vorherig bisherig vorangegangen vorig obig fruher vorhergehend zuvor= oben= davor= vorstehend ursprunglich; rules: anweisung instruktion regel befehl vorgabe richtlinie systemprompt; all: alle= alles= allen= samtlich jegliche jede=; new: neue neuer= neues= wichtige dringend; answer: antwort= antworten= ausgabe= zusammenfassung=; put: fuge= fugen= schreib schreibe= wiederhol ubersetz gib= nimm= einfugen; string: zeichenkette satz= wort= worter= wortlich; you: bist=; now: jetzt= nun= fortan= ab=; ai: ki= assistent ki-assistent sprachmodell kunstliche=; reveal: zeig verrate offenbar nenne gib= enthull; act: sende= senden= schick leite= weiterleiten losch uberweis antworte= offne= klick; mode: modus= entwicklermodus; dev: entwickler entwicklermodus; limits: einschrankung beschrankung schranken grenzen=; test: testzweck testen= ubungs; sum: zusammenfass; instead: stattdessen=; mail: mail= nachricht rechnung erinnerung schreiben=; if: wenn= falls=; secret: passwort kennwort rechnung kontakte= zugangsdaten",
    "fr": "ignore: ignore ignorez oublie oubliez negligez; before: precedent precedente anterieur ci-dessus dessus= avant= prealable initial; rules: instruction consigne directive regle commande= commandes=; all: tout= toute= toutes= tous=; new: nouvelle nouveau nouvelles=; answer: reponse resume=; put: inclus incluez insere inserez ajoute ajoutez repete repetez ecris= ecrivez= traduis traduisez; string: chaine= phrase= mot= mots= exactement=; you: es= etes=; now: maintenant= desormais= present=; ai: ia= assistant modele=; system: systeme=; reveal: revele revelez montre montrez affiche affichez divulgue; act: envoie envoyez transfere transferez supprime supprimez reponds repondez; mode: mode=; dev: developpeur; limits: restriction limites= contraintes=; instead: place= plutot=; mail: courriel message= messages= facture rappel; if: si=; secret: facture mot= contacts=; sum: resumer resumez",
    "es": "ignore: ignora olvida omite descarta haz= pasa= desestim; before: anterior previa previas= previo previos= arriba= antes= precedente; rules: instruccion instrucciones= regla orden= ordenes= indicacion directriz directrices; all: todo= todas= todos= toda= cualquier; new: nueva nuevas= nuevo nuevos=; answer: respuesta salida= resumen=; put: incluye incluya inserta repite repita escribe= traduce anade; string: cadena= frase= palabra= exactamente= oracion=; you: eres= es=; now: ahora= adelante=; ai: ia= asistente modelo=; system: sistema=; reveal: revela muestra imprime; act: envia reenvia elimina borra responde transfiere; mode: modo=; dev: desarrollador; limits: restricciones= limites= restriccion; instead: lugar=; mail: correo mensaje factura recordatorio; if: si=; secret: contrasena factura contactos=",
    "pt": "ignore: ignore ignora ignorem esqueca esquece desconsider; before: anterior anteriores= previa previas= acima= antes=; rules: instrucao instrucoes= regra comando= comandos= diretriz ordens=; all: tudo= todas= todos= todo=; new: nova novas= novo novos=; answer: resposta saida= resumo=; put: inclua incluir insira repita escreva= traduza adicione; string: frase= palavra= exatamente= sequencia=; you: es= voce=; now: agora=; ai: ia= assistente modelo=; system: sistema=; reveal: revele mostre imprima; act: envie encaminhe apague exclua responda transfira; mode: modo=; dev: desenvolvedor; limits: restricoes= limites=; mail: mensagem email= fatura lembrete; if: se=; secret: senha fatura contatos=",
    "it": "ignore: ignora ignori ignorare= dimentica tralascia trascura; before: precedent sopra= prima= anterior; rules: istruzion regol comand= comandi= direttiv; all: tutto= tutte= tutti= qualsiasi=; new: nuova nuove= nuovo nuovi=; answer: risposta riassunto=; put: includi inserisci ripeti scrivi= traduci aggiungi; string: stringa= frase= parola= esattamente=; you: sei=; now: ora= adesso=; ai: ia= assistente modello=; system: sistema=; reveal: rivela mostra stampa; act: invia inoltra elimina cancella rispondi trasferisci; mode: modalita=; dev: sviluppatore; limits: restrizioni= limiti=; mail: messaggio fattura promemoria; if: se=; secret: fattura contatti=",
    "nl": "ignore: negeer negeren= vergeet vergeten= ongeacht; before: vorige= voorgaande eerdere bovenstaande hiervoor= hierboven= voorafgaande; rules: instructie opdracht= opdrachten= regel richtlijn bevel; all: alle= alles= elke=; new: nieuwe nieuw=; answer: antwoord= samenvatting=; put: neem= voeg= herhaal schrijf= vertaal; string: zin= woord= tekenreeks= letterlijk=; you: bent=; now: nu= vanaf=; ai: ai= assistent taalmodel; system: systeem= systeemprompt; reveal: onthul toon laat=; act: stuur verstuur verwijder beantwoord; mode: modus=; dev: ontwikkelaar ontwikkelaarsmodus; limits: beperking grenzen=; mail: bericht factuur herinnering; if: als=; secret: wachtwoord factuur contacten=",
    "pl": "ignore: ignoruj zignoruj zapomnij pomin; before: poprzedni wczesniejsz powyzsz powyze uprzedni; rules: instrukcj polece zasad wytyczn regul prompt; all: wszystk wszelki; new: nowe= nowa= nowy=; answer: odpowiedz; put: dolacz umiesc powtorz napisz przetlumacz zawrzyj; string: ciag zdanie= slowo= dokladnie=; you: jestes=; now: teraz= odtad=; ai: ai= asysten si= model=; system: systemow; reveal: ujawnij pokaz wyswietl; act: wyslij przeslij usun odpowiedz=; mode: tryb trybie=; dev: deweloper programist; limits: ogranicz; mail: wiadomosc faktur; if: jesli= jezeli=; secret: haslo faktur",
    "cs": "ignore: ignoruj zapomen zapomn nehled zabudn; before: predchoz predosl predchadzaj vyse= drivejs uvedene; rules: pokyn instrukc pravid prikaz; all: vsechn vse= vsetk; new: nove= nova= novy=; answer: odpoved; put: zahrn vloz zopakuj napis preloz; string: retezec vetu= slovo= presne=; you: jsi= jste= si= ste=; now: nyni= ted= teraz= odted=; ai: ai= asistent umela=; system: systemov; reveal: odhal ukaz zobraz; act: posli odesli preposli smaz odpovez; mode: rezim; dev: vyvojar; limits: omezen obmedzen; mail: zprav faktur sprav; if: pokud= jestli=; secret: heslo faktur",
    "nordic": "ignore: ignorer ignorera bortse glom= glem= glemme se= hunsa hunsid gleym; before: tidigare foregaende ovanstaende tidligere forrige foregaende ovenstaende fyrri ovennevnte ovanfor ovenfor; rules: instruktion instruks anvisning regler= reglerne= regel befaling fyrirmaeli leidbeining instruksjon; all: alla= alle= allt= alt= oll= ollum=; new: nya= nye= ny= nytt= ny=; answer: svar= svaret= svari=; put: inkludera inkluder upprepa gentag gjenta skriv= oversatt oversaet oversett; string: mening= saetning setning= ord= strang exakt= nojagtig; you: ar= er= ert=; now: nu= na= nuna=; ai: ai= assistent adstodarmadur sprakmodell; system: system= systemprompt; reveal: avsloja visa= vis= avslor; act: skicka send= vidarebefordra videresend radera slet= slett svara=; mode: lage= tilstand modus=; dev: utvecklar udvikler utvikler; limits: begransning begraensning begrensning restriktion; mail: meddelande besked melding faktura paminnelse; if: om= hvis=; secret: losenord adgangskode passord faktura",
    "fi": "ignore: ohita unohda; before: aiem aikaisem edelli edella= ylla=; rules: ohje maarays saann kehote; all: kaikki= kaikkia=; new: uudet= uusi= uusia=; answer: vastauk; put: sisallyta lisaa toista kirjoita kaanna; string: lause sana= merkkijono; you: olet=; now: nyt=; ai: tekoaly avustaja; system: jarjestelma; reveal: paljasta nayta; act: laheta valita poista vastaa; mode: tila= tilassa=; dev: kehittaja; limits: rajoituk rajoittei; mail: viesti lasku; if: jos=; secret: salasana lasku",
    "hu": "ignore: hagyd figyelmen= felejts felejtsd hagyja mellozd; before: elozo korabbi fenti eddigi; rules: utasitas szabaly iranyelv parancs; all: minden osszes=; new: uj=; answer: valasz; put: ird= foglald ismeteld forditsd; string: mondat szo= karakterlanc; you: vagy=; now: mostantol= most=; ai: mi= asszisztens nyelvi=; system: rendszer; reveal: fedd mutasd ird=; act: kuldd tovabbitsd torold valaszolj; mode: mod= modban=; dev: fejleszto; limits: korlat; mail: uzenet szamla; if: ha=; secret: jelszo szamla",
    "ro": "ignore: ignora ignorati uita uitati nesocot; before: anterioare anterior precedent sus=; rules: instructiun regul comenz indicati; all: toate= tot= orice=; new: noi= noua= nou=; answer: raspuns; put: include includeti repeta scrie= traduce; string: propozit cuvant sir= exact=; you: esti=; now: acum=; ai: ai= asistent ia=; system: sistem; reveal: dezvalui arata afiseaza; act: trimite sterge raspunde redirection; mode: modul= mod=; dev: dezvoltator; limits: restrict limit; mail: mesaj factur; if: daca=; secret: parola factur",
    "tr": "ignore: gormezden= yoksay unut dikkate= yok= onemseme; before: onceki yukaridaki oncesi daha=; rules: talimat komut kural yonerge istem; all: tum= butun= her= hepsini=; new: yeni=; answer: yanit cevap; put: ekle dahil= tekrarla yaz= cevir; string: cumle kelime dize= aynen=; you: sensin= artik= sen=; now: simdi= artik=; ai: yapay= asistan zeka; system: sistem; reveal: goster acikla ifsa; act: gonder ilet= sil= yanitla; mode: mod= modu= moduna=; dev: gelistirici; limits: kisitlama sinir; mail: mesaj fatura; if: eger=; secret: sifre fatura",
    "id": "ignore: abaikan lupakan hiraukan; before: sebelum terdahulu atas=; rules: instruksi perintah aturan arahan petunjuk; all: semua= segala= seluruh=; new: baru= baharu=; answer: jawapan jawaban respons balasan; put: sertakan masukkan ulangi tulis terjemah; string: kalimat ayat= kata= perkataan= rentetan persis=; you: adalah= anda= kamu=; now: sekarang= kini=; ai: ai= asisten pembantu; system: sistem; reveal: ungkap tunjuk tampil dedah; act: kirim hantar teruskan hapus padam balas; mode: mode= mod=; dev: pengembang pembangun; limits: batas sekatan pembatas; mail: pesan mesej faktur; if: jika= kalau=; secret: sandi kata= faktur",
    "south slavic": "ignore: ignorir zanemar zaborav zanemari prezri pozabi; before: prethodn prejsnj ranij gornj predhodn; rules: uput instrukcij pravil navodil naredb naredi uputstv; all: sve= svih= vse= sva=; new: nove= nova= novi= nov=; answer: odgovor; put: ukljuc ponov napis prevedi vkljuc dodaj; string: recenic rijec= rec= niz= beseda= tacno=; you: si= ste=; now: sada= zdaj= od=; ai: ai= asistent pomocnik umetna umjetna; system: sistem sustav; reveal: otkrij razkrij prikaz pokaz; act: posalji poslji proslijedi izbris obrisi odgovori=; mode: nacin rezim; dev: razvojn programer razvijal; limits: ogranicen omejit; mail: poruk sporocil racun; if: ako= ce=; secret: lozink geslo racun",
    "baltic": "ignore: ignoruok ignoruo ignorejiet ignore pamirsk aizmirsti unusta eira nepaisyk aizmirstiet ignoreeri; before: ankstesn iepriekse eelnev varasem ankstesni visus= ulal=; rules: nurodym instrukcij noradijum juhis juhend kask noteikum taisykl; all: visus= visas= koik= koiki= visi=; new: nauji= jauni= uued= uus=; answer: atsakym atbild vastus; put: itrauk pakartok ieklaut atkartot lisa= korda kirjuta; string: sakin zodi= teikum vardu= lause; you: esi= oled=; now: dabar= tagad= nuud=; ai: di= asistent assistent tehisintellekt intelekt; system: sistem susteem; reveal: atskleisk paradi= atklaj naita parodyk; act: issiusk persiusk nosuti parsuti saada= edasta istrink kustuta dzes; mode: rezim; dev: kurej izstradataj arendaja; limits: apribojim ierobezojum piirang; if: jei= ja= kui=; mail: laisk zinu kiri= arve; secret: slaptazod parol",
    "ca": "ignore: ignora ignoreu oblida oblideu; before: anterior previ previes= dalt=; rules: instruccion regl ordres=; all: totes= tots= tot=; new: noves= nova= nou=; answer: resposta; put: inclou inclogueu repeteix escriu tradueix; string: frase= paraula= exactament=; you: ets= sou=; now: ara=; ai: ia= assistent; system: sistema; reveal: revela mostra; act: envia reenvia esborra elimina respon; limits: restriccions= limits=; if: si=; secret: contrasenya factura",
    "ru": "ignore: игнорируй проигнорируй забудь забудьте игнорируйте отмени пренебрег; before: предыдущ прежн вышеуказан предшеств выше= ранее= прошл; rules: инструкц указани правил команд промпт промт директив; all: все= всё= всех= любые=; new: новые= новая= новое= новый=; answer: ответ= ответе= ответа=; put: включи добавь повтори напиши переведи вставь; string: строк предложение= слово= фраз точно= дословно=; you: ты= вы=; now: теперь= отныне= сейчас=; ai: ии= ассистент помощник нейросет бот=; system: системн; reveal: раскрой покажи выведи; act: отправь перешли удали ответь перешлите отправьте удалите переведи; mode: режим; dev: разработчик; limits: ограничен; mail: письмо сообщение счет; if: если=; secret: парол счет контакт",
    "uk": "ignore: ігноруй проігноруй забудь ігноруйте забудьте; before: попередн вищезазначен вище= раніш; rules: інструкц вказівк правил команд; all: усі= всі= все= усе=; new: нові= нова= нове=; answer: відповід; put: включи додай повтори напиши переклади; string: рядок речення= слово= точно=; you: ти= ви=; now: тепер= відтепер= зараз=; ai: ші= асистент помічник; system: системн; reveal: розкрий покажи; act: надішли перешли видали відповідай надішліть; mode: режим; dev: розробник; limits: обмежен; if: якщо=; mail: лист= повідомлення=; secret: парол рахун",
    "bg": "ignore: игнорирай забрави игнорирайте забравете пренебрегни; before: предишн горн горе= предходн; rules: инструкц указани правил команд; all: всички= всичко=; new: нови= нова= ново=; answer: отговор; put: включи повтори напиши преведи; string: изречение= дума= низ=; you: си= ти= вие=; now: сега= вече=; ai: ии= асистент; system: системн; reveal: разкрий покажи; act: изпрати препрати изтрий; mode: режим; dev: разработчик; limits: ограничени; if: ако=; secret: парола фактур",
    "el": "ignore: αγνοησε αγνοηστε ξεχασε ξεχαστε παραβλεψ; before: προηγουμεν παραπανω= πιο=; rules: οδηγι εντολ κανον; all: ολες= ολα= ολους= τα=; new: νεες= νεα= νεος=; answer: απαντησ; put: συμπεριλαβ επαναλαβ γραψε μεταφρασ; string: φραση= προταση= λεξη= ακριβως=; you: εισαι= ειστε=; now: τωρα= πλεον=; ai: τν= βοηθος βοηθε; system: συστηματ; reveal: αποκαλυψ δειξε εμφανισε; act: στειλε προωθησε διαγραψε απαντησε; mode: λειτουργι; dev: προγραμματιστ; limits: περιορισμ; if: αν= εαν=; mail: μηνυμα τιμολογ; secret: κωδικ τιμολογ",
    "ar": "ignore: تجاهل انس انسى اهمل تجاهلوا أهمل; before: السابق سابق أعلاه= اعلاه= السابقة=; rules: التعليمات تعليمات الأوامر الاوامر أوامر القواعد تعليماتك موجه; all: جميع= كل= كافة=; new: جديدة= جديد= الجديدة=; answer: ردك= إجابتك اجابتك الرد= جوابك; put: أدرج ادرج كرر اكتب ترجم ضمّن; string: الجملة= النص= العبارة= كلمة= حرفيا=; you: أنت= انت=; now: الآن= الان=; ai: مساعد المساعد ذكاء نموذج; system: النظام= نظام=; reveal: اكشف أظهر اعرض اظهر; act: أرسل ارسل أعد احذف رد= حول; mode: وضع=; dev: المطور مطور; limits: قيود=; if: إذا= اذا=; secret: كلمة= فاتورة الفاتورة",
    "he": "ignore: התעלם התעלמי התעלמו שכח שכחי שכחו; before: הקודמ קודמ לעיל= שלמעלה=; rules: הוראות ההוראות ההנחיות הנחיות הכללים מההוראות מההנחיות הפקודות; all: כל= מכל= הכל=; new: חדשות= חדש= חדשה=; answer: בתשוב תשוב; put: כלול חזור כתוב תרגם הוסף; string: משפט המשפט המילה= מילה= המחרוזת=; you: אתה= את=; now: עכשיו= כעת= מעתה=; ai: עוזר העוזר בינה; system: המערכת= מערכת=; reveal: חשוף הצג גלה; act: שלח העבר מחק השב; mode: מצב=; dev: מפתח= מפתחים=; limits: מגבלות= הגבלות=; if: אם=; secret: סיסמ חשבונית",
    "fa": "ignore: نادیده= فراموش= صرف= نادیده‌; before: قبلی= پیشین= بالا= قبل= پیش=; rules: دستورالعمل دستورات= دستور= قوانین= فرمان راهنما; all: تمام= همه= تمامی= کلیه=; new: جدید= جدیدی=; answer: پاسخ جواب; put: بگنجان تکرار= بنویس ترجمه=; string: جمله= کلمه= عبارت= دقیقا=; you: هستی= شما= تو=; now: اکنون= حالا= الان=; ai: دستیار هوش=; system: سیستم; reveal: نشان= آشکار= فاش=; act: ارسال= بفرست حذف= فوروارد= پاسخ=; mode: حالت=; dev: توسعه; limits: محدودیت; if: اگر=; secret: رمز= فاکتور",
    "hi": "ignore: अनदेखा= नजरअंदाज= नज़रअंदाज= भूल= उपेक्षा=; before: पिछले= पिछली= पूर्व= ऊपर= पहले= पुराने=; rules: निर्देश नियम आदेश; all: सभी= सब= सारे= समस्त=; new: नए= नया= नई=; answer: उत्तर= जवाब=; put: शामिल= दोहरा लिख अनुवाद=; string: वाक्य= शब्द=; you: आप= तुम=; now: अब=; ai: एआई= सहायक= कृत्रिम=; system: सिस्टम= प्रणाली=; reveal: दिखा प्रकट= बता; act: भेज अग्रेषित= हटा; mode: मोड=; dev: डेवलपर=; limits: प्रतिबंध सीमा; if: अगर= यदि=; secret: पासवर्ड इनवॉइस",
    "bn": "ignore: উপেক্ষা= ভুলে= অগ্রাহ্য=; before: পূর্ববর্তী= আগের= উপরের= পূর্বের=; rules: নির্দেশ নিয়ম আদেশ; all: সমস্ত= সব= সকল=; new: নতুন=; answer: উত্তর উত্তরে=; put: অন্তর্ভুক্ত= পুনরাবৃত্তি= লিখ অনুবাদ=; string: বাক্য শব্দ; you: আপনি= তুমি=; now: এখন=; ai: এআই= সহকারী=; system: সিস্টেম=; reveal: দেখাও প্রকাশ=; act: পাঠা ফরোয়ার্ড= মুছ; limits: সীমাবদ্ধ; if: যদি=; secret: পাসওয়ার্ড",
    "ko": "ignore: 무시 잊어 잊으 무효; before: 이전 위의= 앞의= 지금까지의= 기존 앞선= 위= 앞서=; rules: 지시 명령 규칙 지침 프롬프트; all: 모든= 모두= 전부= 일체의=; new: 새로운= 새=; answer: 응답 답변 대답; put: 포함 반복 작성 번역 출력; string: 문장 단어 문자열 그대로=; you: 당신은= 너는= 넌=; now: 이제= 지금부터=; ai: ai= 어시스턴트 인공지능 비서; system: 시스템; reveal: 공개 보여 출력 알려; act: 보내 전달 삭제 전송; mode: 모드; dev: 개발자; limits: 제한 제약; if: 만약=; secret: 비밀번호 송장",
    "sq": "ignore: injoro injoroni harro harroni shperfill; before: meparshm sipern; rules: udhezim rregull komand; all: gjitha=; new: reja= ri=; answer: pergjigj; put: perfshi perserit perkthe shkruaj; string: varg fjali fjal sakt; you: je= jeni=; now: tani=; ai: asistent; system: sistem; act: dergo percill fshi; mode: modalitet; dev: zhvillues; limits: kufiz; test: testim testet= ushtrim diagnostikim; sum: permbled; instead: vend=; if: nese=",
    "ga": "ignore: dean= ignore= dearmad=; before: roimhe= thuas=; rules: treorac treoir rialac ordu; all: gach= uile=; new: nua= nuacht; answer: fhreagra freagra; put: cuir= scriobh aistrigh; string: sreang abairt focal; you: ta=; now: anois=; act: seol; mode: mod=; dev: forbro; limits: srianta; test: tastal thastal traenala; sum: achoimre; instead: ionad=; if: ma=",
    "gd": "ignore: leig=; before: roimhe= gu=; rules: stiuir riaghailt; all: uile=; new: ur=; answer: fhreagair freagair; put: cuir= sgriobh eadar ath-aithris; string: sreang t-sreang seantan facal fhacal; you: tha=; now: nise=; act: cuir=; mode: modh=; dev: leasach; limits: cuingeal; test: deuchainn trenaidh treanaidh debugadh; sum: gearr geàrr; instead: aite=; if: ma=",
    "zu": "ignore: ungayinaki ziba; before: yangaphambili edlule; rules: imiyal imithetho; all: yonke=; new: emisha= entsha=; answer: empendul kwempendul impendul ekuphenduleni; put: faka bese= usifaka phinda humush; string: mbhalo sigwebo igama; now: manje=; act: thumela dlulisela susa; mode: kwimodi imodi; dev: yonjiniyela; limits: imikhawulo; test: lokuhlola izivivinyo yokuzilolonga debug amaphutha; sum: ufingqe; instead: esikhundleni=; if: uma=",
}
"""By language: ``meaning: stems;``."""

UNSPACED = {
    "ja": "ignore: 無視 忘れ 破棄; before: 以前 前の 上記 これまで 先の 今まで 上の; rules: 指示 命令 ルール プロンプト 規則; all: すべて 全て 全部; new: 新しい 新た; answer: 返信に 回答に 返答に 応答に; put: 含めて 繰り返 翻訳 出力; string: 文字列 文章 単語 そのまま; you: あなたは 君は; now: 今から これから 今は 今や; ai: アシスタント 人工知能; system: システム; reveal: 表示 教え 明かし 公開 開示; act: 転送 送信 削除 送って; mode: モード; dev: 開発者; limits: 制限 制約; if: もし; secret: パスワード 請求書",
    "zh": "ignore: 忽略 无视 無視 忘记 忘記 忽視 忽视 不要理会; before: 之前 以上 上述 先前 前面 上面 此前; rules: 指令 指示 规则 規則 提示词 提示詞 命令 说明; all: 所有 全部 一切 任何; new: 新的 新指令; answer: 回复中 回答中 回覆中 答复中; put: 包含 重复 重複 翻译 翻譯 输出 輸出; string: 字符串 句子 单词 原样; you: 你是 你现在 你現在 您是; now: 现在 現在 从现在; ai: 助手 人工智能 助理; system: 系统 系統; reveal: 显示 顯示 透露 泄露 告诉 公开; act: 转发 發送 发送 轉發 删除 刪除; mode: 模式; dev: 开发者 開發者; limits: 限制 约束; if: 如果; secret: 密码 發票 发票 密碼",
    "th": "ignore: เพิกเฉย ละเว้น ลืม ไม่ต้องสนใจ เมิน; before: ก่อนหน้า ข้างต้น ด้านบน ที่ผ่านมา; rules: คำสั่ง คำแนะนำ กฎ พรอมต์; all: ทั้งหมด ทุก; new: ใหม่; answer: ในคำตอบ การตอบกลับ; put: รวม ทำซ้ำ แปล เขียน; string: ประโยค ข้อความนี้; you: คุณคือ คุณเป็น; now: ตอนนี้ บัดนี้; ai: ผู้ช่วย ปัญญาประดิษฐ์; system: ระบบ; reveal: เปิดเผย แสดง บอก; act: ส่งต่อ ส่ง ลบ; mode: โหมด; dev: นักพัฒนา; limits: ข้อจำกัด; if: หาก; secret: รหัสผ่าน",
    # its words are syllables: what two of them mean together is found in them as they stand
    "vi": "ignore: bo qua|quen het|quen moi|phot lo; before: truoc do|o tren|phia tren|truoc day; rules: huong dan|chi thi|menh lenh|chi dan|quy tac|loi nhac; all: tat ca; answer: cau tra loi|phan hoi cua ban; put: bao gom|lap lai|dich cau; string: cau sau|chuoi sau; you: ban la|ban bay gio|bay gio ban; now: bay gio|ke tu gio; ai: tro ly; system: he thong; reveal: tiet lo|hien thi|cho biet; act: gui cho|chuyen tiep; limits: gioi han|han che; mode: che do; dev: nha phat trien",
}
"""Languages without spaces between words: what is found anywhere, with ``|`` between phrases that have spaces."""


def _read(table: str) -> list[tuple[str, int]]:
    found = []
    bar = "|" in table
    for group in table.split(";"):
        name, _, stems = group.partition(":")
        if name.strip() in _NAMES:
            words = stems.split("|") if bar else stems.split()
            found += [(one.strip(), _NAMES[name.strip()]) for one in words if one.strip()]
    return found


def _tables() -> tuple[dict[str, int], dict[str, list[tuple[str, int]]]]:
    exact: dict[str, int] = {}
    stems: dict[str, list[tuple[str, int]]] = {}
    for name, table in LANGUAGES.items():
        for word, means in _read(table):
            if means == Means.ACT and name != "en":
                means |= Means.SEND
            plain = fold(word.rstrip("="))
            if word.endswith("=") or len(plain) < 3:
                exact[plain] = exact.get(plain, 0) | means
            else:
                stems.setdefault(plain[:3], []).append((plain, means))
    return exact, stems


_EXACT, _STEMS = _tables()
PHRASES = [(fold(word), means) for name in ("ja", "zh", "th") for word, means in _read(UNSPACED[name])]
"""What is searched where a text has such letters."""

VIETNAMESE = [(fold(word), means) for word, means in _read(UNSPACED["vi"])]


@lru_cache(maxsize=8192)
@lru_cache(maxsize=4096)
def meaning(word: str) -> int:
    """What a folded word means in any of the languages."""
    found = _EXACT.get(word, 0)
    if "-" in word:
        for part in word.split("-"):
            found |= _EXACT.get(part, 0)
    for stem, means in _STEMS.get(word[:3], ()):
        if word.startswith(stem):
            found |= means
    return found
