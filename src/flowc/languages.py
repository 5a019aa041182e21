"""Which language somebody writes, told by small words: what one says in several messages is heard together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

NAMES = {
    "de": "German", "en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "nl": "Dutch", "pt": "Portuguese"
}  # fmt: skip
"""The languages that can be told apart."""
SCRIPT = "another script"
"""What is written mostly in letters other than Latin ones."""

# A word that is common in two of the languages stands in both lists, or it would speak for the wrong one: without
# `los` and `es` among the German ones, "los geht es" was Spanish.
_WORDS = {
    "de": "ich du er sie es wir ihr mich mir uns ihnen ihm ihn ihre ihren ihrem ihrer mein meine meinen meiner unser "
          "unsere sich der die das den dem des ein eine einen einem einer kein keine keinen und oder aber denn weil "
          "dass wenn ob als wie was wer wo wohin woher wann warum welche welcher welches welchen ist sind bin war "
          "waren sein hat habe haben hatte hätte hätten wird werden wurde würde würden kann können könnte könnten "
          "soll sollen sollte will wollen möchte möchten darf dürfen muss müssen mag gibt geht nicht nichts nie nur "
          "noch schon auch so also doch mal ja nein nö nee bitte danke gern gerne gut hallo guten tag in im an am auf "
          "aus bei bis durch für gegen mit nach seit um unter über von vom vor zu zum zur ab ohne zwischen da dann "
          "dort hier heute jetzt nun sehr mehr viel viele wenig alle alles etwas man los weiter genau richtig stimmt "
          "lieber einmal wieder per",
    "en": "i you he she it we they me him us them my your his our their mine the a an this that these those and or "
          "but if because as than then what who where when why how which is are am was were be been being do does did "
          "don doesn didn have has had will would can could should may might must shall need want not no nothing "
          "never only still also too so just yes yeah please thank thanks hello hi good sorry sure in on at by for "
          "from of off out over to under up with without about after before between into there here now very more "
          "much many some any all else again let get got go going come make take like know think say see give let's "
          "s t m d ll re ve one per plus man son u n ya",
    "es": "yo tú él ella usted ustedes nosotros ellos me te se nos le les lo la los las el un una unos unas mi mis tu "
          "su sus este esta esto ese esa eso y o pero si porque que qué quien cómo como cuándo cuando dónde donde cuál "
          "cuánto cuántos es son soy está están estoy ser estar era fue ha he han haber hay tiene tengo tienen quiero "
          "quiere quisiera puede puedo puedes podría hacer ir voy vamos gustaría no nada nunca sólo también ya muy "
          "más mucho todo todos sí gracias por favor hola buenos buenas días bien de del a al en con sin para desde "
          "hasta entre sobre aquí ahora hoy entonces otro otra algo hacia va",
    "fr": "je tu il elle nous vous ils me te se le la les l un une des du de d au aux ce cette ces cet mon ma mes ton "
          "votre vos notre nos son sa ses leur et ou mais si parce que qu qui quoi quel quelle quels comment quand où "
          "pourquoi combien est sont suis êtes était être ai as a avez avons ont avoir va vais peut peux pouvez "
          "voudrais voulez veux faire aller faut ne n pas rien jamais plus aussi bien très trop oui non merci "
          "bonjour plaît en dans sur sous avec sans pour par chez entre vers depuis jusqu y ici là maintenant alors "
          "donc tout tous toute j c s on ça plaira moi vite autre encore comme",
    "it": "io tu lui lei noi voi loro mi ti si ci vi lo la li le gli il i l un uno una mio mia suo sua nostro vostro "
          "questo questa quello quella e ed o ma se perché che chi cosa come quando dove quale quanto quanti è sono "
          "sei era essere ho hai ha abbiamo avete hanno avere vorrei vuole voglio posso può potete possiamo fare "
          "andare vado va non niente mai solo anche già molto più tutto tutti sì no grazie prego buongiorno ciao "
          "bene di del della dei delle al alla ai da dal dalla in nel nella con senza per su tra fra qui ora adesso "
          "allora altro qualcosa a verso",
    "nl": "ik jij je hij zij ze het wij we jullie u me mij hem haar ons hun mijn uw zijn onze de een dit dat deze die "
          "en of maar want als dan omdat wat wie waar wanneer waarom hoe welke is ben bent was waren heb hebt heeft "
          "hebben had wil wilt willen kan kunt kunnen zou zouden moet moeten mag gaan gaat ga doen worden wordt niet "
          "niets nooit geen alleen nog ook al zo wel ja nee graag bedankt dank alstublieft hallo goed goede dag in op "
          "aan bij door met na naar om onder over tegen tot uit van voor zonder tussen er daar hier nu heel meer veel "
          "alle alles iets te terug even weer",
    "pt": "eu tu ele ela você vocês nós eles me te se nos lhe o a os as um uma uns umas meu minha seu sua nosso este "
          "esta isto esse essa isso e ou mas se porque que quem como quando onde qual quanto quantos é são sou está "
          "estão estou ser estar era foi tem tenho têm ter há quero quer queria posso pode podemos poderia fazer ir "
          "vou vamos gostaria não nada nunca só também já muito mais tudo todos sim obrigado obrigada por favor olá "
          "bom boa dia bem de do da dos das ao à no na em com sem para pelo pela desde até entre sobre aqui agora "
          "hoje então outro outra algo num",
}  # fmt: skip
_SMALL = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")
_LEAST = 3  # words more of another language than of the right one; two may be a name, as in "Rio de la Plata"


class Foreign(NamedTuple):
    """The message at which it is plain that another language is written, and what that is called."""

    message: int
    language: str


def foreign(messages: Sequence[str], language: str, names: frozenset[str] = frozenset()) -> Foreign | None:
    """Tell whether one speaker leaves `language`, which two letters name: None where not, or where it cannot be told.

    Messages in a row speak together: each counts with how many small words it has more of another language than of
    the right one, a message in the right language takes that back, and from three on it is said. So one short message
    decides nothing, nor does a name; `names`, in lower case, are words that speak for no other language. Only the
    languages of `NAMES` are held against each other, and letters other than Latin ones.
    """
    if language not in NAMES:
        return None
    lead = dict.fromkeys((*NAMES, SCRIPT), 0)
    for index, message in enumerate(messages):
        for other, more in _lead(message, language, names).items():
            lead[other] = max(0, lead[other] + more)
        most = max(lead, key=lambda other: lead[other])
        if lead[most] >= _LEAST:
            return Foreign(index, NAMES.get(most, most))
    return None


@lru_cache(maxsize=1 << 16)
def _lead(text: str, language: str, names: frozenset[str]) -> dict[str, int]:
    """By how many small words, each counted once, another language is ahead of the right one in a text."""
    words = set(_WORD.findall(text.casefold()))
    others = words - names
    own = len(words & _SMALL[language])
    lead = {name: len(others & small) - own for name, small in _SMALL.items() if name != language}
    return lead | {SCRIPT: sum(not _is_latin(word) for word in others) - own}


def _is_latin(word: str) -> bool:
    return word.isascii() or all(unicodedata.name(c, "").startswith("LATIN") for c in word)
