"""What chatty and impatient people say in German before and after a phrase; `voices` says how it is used."""

OPENERS = {
    "chatty": (
        "Hallo zusammen!", "Oh, gute Frage.", "Mal überlegen.", "Danke der Nachfrage!", "Also gut.", "Aber gern.",
        "Ach ja.", "Hm, nun ja.", "Wie schön.", "Schön, von Ihnen zu hören.", "Moment, ich denke nach.", "Oh, fein.",
        "Prima, danke.", "Das ist leicht.", "Ich schaue kurz nach.", "Gut, gut.", "Das ist aber nett von Ihnen.",
        "Hallo noch einmal!", "Na, dann los.", "Oje, da muss ich nachdenken.", "Wie aufregend!", "Wunderbar.",
        "Ha, in Ordnung.", "Wissen Sie was?", "Darauf habe ich gewartet.", "Lassen Sie mich nachdenken.",
        "Wie ich schon meinem Mann sagte:", "Ja, ja, natürlich.", "Das wird Ihnen gefallen.",
        "Ich habe mir alles notiert.", "Einen kleinen Augenblick.", "Gut, dass Sie da sind.", "Schönen guten Tag.",
        "Ganz ehrlich gesagt:", "Soviel ich weiß,", "Darüber haben wir gestern beim Essen gesprochen.",
        "Ich hole nur kurz meine Brille.", "Macht das nicht Spaß?", "Guten Morgen!", "Guten Abend!", "Na ja,",
        "Ach so,", "Ich sitze gerade im Garten.", "Vielen Dank so weit.", "Sehr schön.", "Freut mich.",
    ),
    "impatient": (
        "Hören Sie,", "Schnell bitte:", "Ich habe es eilig.", "Wenig Zeit heute.", "Na los,", "Bitte zügig.",
        "Ich habe gleich einen Termin.", "Kurz und knapp:", "Keine Zeit zu verlieren.", "Machen wir voran:",
        "Also schnell:", "Ich habe nicht den ganzen Tag Zeit.", "Wie gesagt,", "Ja, ja.", "Mein Taxi wartet.",
        "Zack, zack.", "Um es kurz zu machen:", "Ich muss gleich los.", "Schon wieder?", "So viele Fragen.",
        "Na schön.", "Ich habe zwei Minuten.", "Ohne Umschweife:", "Gut, schnell.", "Schnelle Antwort:",
        "Ich bin in Eile.", "Ich bin gerade bei der Arbeit.", "Das dauert aber.", "Weiter jetzt.", "Gut, weiter.",
    ),
}  # fmt: skip
CLOSERS = {
    "chatty": (
        "Vielen lieben Dank!", "Ich freue mich schon so.", "Sie sind sehr freundlich.", "Ich hoffe, das hilft Ihnen!",
        "Es ist ein besonderer Anlass.", "Meine Schwester hat Sie empfohlen.", "War das ein Tag heute.",
        "Das plane ich schon ewig.", "Herzlichen Dank.", "Das wäre großartig.", "Ich kann es kaum erwarten.",
        "Es war eine lange Woche.", "Wir reden seit Tagen davon.", "Sie machen das gut.", "Das ist so spannend.",
        "Meine Freunde sind ganz neidisch.", "Ich hoffe, das ist in Ordnung.", "Ist das nicht herrlich?",
        "Ich habe Sie im Internet gefunden.", "Mein Nachbar ist begeistert von Ihnen.", "Danke für Ihre Geduld.",
        "Ach, das wird schön.", "Alle wissen schon davon.", "So ist das Leben.", "Wie geht es Ihnen eigentlich?",
        "Haben Sie noch einen schönen Tag.", "Darauf haben wir lange gewartet.", "Die Zeit vergeht ja so schnell.",
        "Ich bin ganz Ohr.", "Mehr weiß ich auch nicht.", "Nur damit Sie es wissen.", "Nett, mit Ihnen zu schreiben.",
        "Das war die Idee meiner Frau.", "Ich bin ein wenig aufgeregt.", "Danke schön.", "Danke.", "Nochmals danke.",
        "So haben wir es ausgemacht.", "Da bin ich mir sicher.", "Meine Familie ist einverstanden.",
        "Hier regnet es gerade.", "Mein Hund wartet auf seinen Spaziergang.", "Ich schreibe aus dem Zug.",
    ),
    "impatient": (
        "Beeilen Sie sich.", "Nächste Frage.", "Machen Sie schnell.", "Was noch?", "Weiter.",
        "Können wir weitermachen?", "Und jetzt?", "Ist das alles?", "Sind wir fertig?", "Na los jetzt.",
        "Wie lange dauert das noch?", "Ich warte.", "Zeit ist Geld.", "Bringen wir es hinter uns.",
        "Schneller, bitte.", "Sonst noch etwas?",
        "Ich muss los.", "Es darf nicht lange dauern.", "Und?", "Tempo, bitte.", "Was kommt als Nächstes?",
        "Brauchen Sie noch mehr?", "Machen wir es kurz.", "Ich bin spät dran.", "Mein Zug fährt gleich.",
        "Geht das auch schneller?", "Keine Verzögerungen mehr.", "Das muss reichen.", "Ich habe keine Zeit.",
        "Wie viele Fragen denn noch?", "Ich muss gleich telefonieren.", "Zügig, bitte.",
    ),
}  # fmt: skip
CONFUSED = (
    "Entschuldigung, was brauchen Sie von mir?", "Das habe ich nicht verstanden.", "Wie meinen Sie das?",
    "Ich weiß nicht, was Sie möchten.", "Könnten Sie das noch einmal sagen?", "Jetzt komme ich nicht mehr mit.",
    "Was heißt das?", "Bitte noch einmal.",
)  # fmt: skip
