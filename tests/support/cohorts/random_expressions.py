"""Random regular expressions and texts, rich in what two engines may read differently."""

from random import Random

#: Word characters and others, letters that have three cases, the newline, characters of two to four bytes.
LETTERS = "abkKsSAB15_- \n\t.,éÉßẞ\u212a\u017f🦔\u03a3\u03c2\u03c3İ\u0131Zz]^[{}:\\|\x7f\x01ü"
ATOMS = [
    *"abksKé1_- \n.{,}]#&~ß\u03a3\u03c2İ\u212a\u017f🦔",
    *r"\. \d \w \s \D \W \S \n \t \a \f \v \r \x41 \x7f \x{e9} \x{1F994} \101 \0 \- \_ \\ \/".split(),
    *r"^ $ \b \B \A \z".split(),
]
MEMBERS = [
    *"abkKéß-^][:.!\n\u212a",
    *r"\] \- \\ \d \s \w \W \D \S \n \x41 \x{1F994} \b a-c a-z A-Z 0-9 é-ü -a && || -- [: [.a.] [=a=]".split(),
    *"[:alpha:] [:^alpha:] [:space:] [:punct:] [:word:] [:upper:] [:lower:] [:digit:] [:print:]".split(),
]
REPETITIONS = "* + ? *? +? ?? {2} {1,3} {0,2} {2,} {0} {,2} {1 {3}? {0,1} {1,2}?".split()
FRAGMENTS = [
    *"()[]{}|*+?^$.\\-,:abkdwsxpPQEzABC01579<>=!i#é\n",
    *"(? (?: (?i) (?s) (?m) (?P<n> (?<n> (?= (?! (?# [^ [[ [. [= [:alpha:] [:<:] [[:>:]] {2} {2,3} ***".split(),
    *r"\b \x{ \p{L} \Q \E \C \1 \12 \y \Y \m \M \z \Z".split(),
]


def random_text(source: Random, expression: str) -> str:
    """Return a short text, for the most part of the characters of an expression."""
    letters = [*expression.replace("\0", ""), *"abk \n"]
    length = source.choice([0, 1, 2, 3, 5, 8, 12])
    return "".join(source.choice(source.choice([letters, "aabké", LETTERS])) for _ in range(length))


def random_expression(source: Random) -> str:
    """Return an expression that is mostly well-formed, or one of fragments that is mostly not."""
    form = source.random()
    if form < 0.25:
        expression = "".join(source.choices(FRAGMENTS, k=source.randint(1, 7)))
    elif form < 0.32:
        expression = _part(source) + source.choice(FRAGMENTS) + _part(source)
    else:
        expression = "".join(_part(source) for _ in range(source.choice([1, 1, 2])))
    if source.random() < 0.2:
        expression = f"(?i){expression}"
    return f"^{expression}$" if source.random() < 0.1 else expression


def _part(source: Random, depth: int = 0) -> str:
    def inner() -> str:
        return _part(source, depth + 1)

    form = source.random()
    if depth > 3 or form < 0.4:
        return source.choice(source.choice([ATOMS, "aabk.é"]))
    if form < 0.5:
        return f"[{source.choice(['', '', '^'])}{''.join(source.choices(MEMBERS, k=source.randint(1, 4)))}]"
    if form < 0.65:
        return inner() + inner()
    if form < 0.75:
        return f"({source.choice(['', '', '?:', '?P<n>', '?<n>'])}{inner()})"
    if form < 0.85:
        alternatives = [source.choice(["", inner(), inner()]) for _ in range(source.randint(1, 3))]
        return f"({'|'.join(alternatives)})"
    operand = inner()
    return (f"({operand})" if source.random() < 0.5 else operand) + source.choice(REPETITIONS)
