"""Which language a text is in, told by the small words that no other of these languages has."""

from __future__ import annotations

import re
import unicodedata

NAMES = {
    "de": "German", "en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "nl": "Dutch", "pt": "Portuguese"
}  # fmt: skip
"""The languages that can be told apart."""

_WORDS = {
    "de": "ich und ist nicht das der die den dem ein eine einen wir sie ihre ihr für mit auf auch sich zu von bitte "
          "wie möchte haben sind wird oder aber noch nach bei über kann können danke wohin welche wann",
    "en": "the and is are you your we i of to for it with would like what how that this have please my which there "
          "from can do not be will at when where thank any our",
    "es": "el los las una y es está para por con qué usted su quiero mi gracias cómo cuál favor pero muy más hay "
          "quisiera nos del viaje cuándo dónde sí ir hacia tiene",
    "fr": "le les des et est vous votre je nous une pour avec dans sur que qui pas merci quel quelle bonjour mais "
          "voudrais ce cette où combien plaît avez suis du aux",
    "it": "il gli è sono che per con una non di vorrei grazie quale quanto quando dove mi vostro della del alla sì "
          "buongiorno posso ho questo anche ma sua",
    "nl": "het een en van ik niet is dat de u uw wij naar voor met op ook graag waar wanneer hoe bedankt kunt zijn "
          "heb wil deze maar nog bij",
    "pt": "o os uma e é para com não você eu seu sua obrigado por quero qual quando onde mais muito está do da em "
          "gostaria nós então também mas",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_LEAST = 3  # small words of another language; two may be the name of a place, as in "from Los Angeles to La Paz"


def _unique() -> dict[str, frozenset[str]]:
    sets = {language: frozenset(words.split()) for language, words in _WORDS.items()}
    return {
        language: words - frozenset().union(*(w for other, w in sets.items() if other != language))
        for language, words in sets.items()
    }


_UNIQUE = _unique()


def foreign(text: str, language: str) -> str | None:
    """Name what a text is written in instead of `language`, or None where it is, or cannot be told.

    Only languages of `NAMES` are held against each other. A text mostly in letters other than Latin ones is "another
    script".
    """
    if language not in NAMES:
        return None
    letters = [c for c in text if c.isalpha()]
    if sum(not unicodedata.name(c, "").startswith("LATIN") for c in letters) * 2 > len(letters):
        return "another script"
    words = _WORD.findall(text.casefold())
    counts = {name: sum(w in unique for w in words) for name, unique in _UNIQUE.items()}
    best = max(sorted(counts), key=lambda name: counts[name])
    return NAMES[best] if counts[best] >= _LEAST and counts[best] > counts[language] else None
