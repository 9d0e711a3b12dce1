"""PrefLib and TSPLIB files: writers of small ones, and obvious readers."""

import math
import re

from support.file_text import Refused, lines_of

PREFLIB_WORDS = [
    b"{",
    b"}",
    b"{1,2}",
    b",",
    b"# NUMBER ALTERNATIVES: 3",
    b"NUMBER",
    b"2",
]
TSPLIB_WORDS = [b"EOF", b"TYPE: SOP", b"UPPER_ROW", b"NODE_COORD_SECTION", b"4", b":"]
BLANKS = " \t\v\f"
_NUMBER = r"[+-]?([0-9]{1,30}(\.[0-9]{1,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?"


def write_preflib(rng):
    """Votes with ties and gaps, in the format of 2022 or the one before."""
    n = int(rng.integers(2, 6))
    votes = []
    for _ in range(rng.integers(1, 4)):
        items = (1 + rng.permutation(n)[: rng.integers(1, n + 1)]).astype(str).tolist()
        if len(items) > 2 and rng.random() < 0.5:
            items = [items[0], "{" + ",".join(items[1:]) + "}"]
        votes.append((int(rng.integers(1, 9)), ",".join(items)))
    total = sum(count for count, _ in votes)
    if rng.random() < 0.4:
        lines = [str(n), *(f"{i},item {i}" for i in range(1, n + 1))]
        lines += [f"{total},{total},{len(votes)}", *(f"{c},{o}" for c, o in votes)]
    else:
        lines = ["# TITLE: a: b", f"# NUMBER ALTERNATIVES: {n}"]
        lines += [f"# NUMBER VOTERS: {total}", f"# NUMBER UNIQUE ORDERS: {len(votes)}"]
        lines += [f"# ALTERNATIVE NAME {i}: item {i}" for i in range(1, n)]
        lines += [f"{count}: {order}" for count, order in votes]
    return ("\n".join(lines) + "\n").encode()


def read_preflib(data):
    """Rankings, counts, names."""
    lines = [line.strip(BLANKS) for line in lines_of(data)]
    lines = [line for line in lines if line]
    if not lines:
        raise Refused
    is_old = not lines[0].startswith("#")
    header = _old_header(lines) if is_old else None
    n = header["NUMBER ALTERNATIVES"] if is_old else 0
    names = dict(header["names"]) if is_old else {}
    totals = header or {}
    rankings, counts, seen = [], [], set()
    for line in lines[n + 2 :] if is_old else lines:
        if line.startswith("#") and not is_old:
            key, colon, value = line[1:].partition(":")
            key, value = key.strip(BLANKS), value.strip(BLANKS)
            if not colon:
                raise Refused
            name = re.fullmatch(r"ALTERNATIVE NAME ([0-9]{1,9})", key)
            if key in seen and (name or key.startswith("NUMBER ")):
                raise Refused
            seen.add(key)
            if name:
                names[int(name[1])] = value
            elif key in (
                "NUMBER ALTERNATIVES",
                "NUMBER VOTERS",
                "NUMBER UNIQUE ORDERS",
                "NUMBER UNIQUE PREFERENCES",
            ):
                totals[key] = _whole(value)
                n = totals.get("NUMBER ALTERNATIVES", 0)
            continue
        if not n:
            raise Refused
        count, mark, order = line.partition("," if is_old else ":")
        if not mark or not _whole(count.strip(BLANKS)):
            raise Refused
        rankings.append(_order(order, n, is_old, header["first"] if is_old else 1))
        counts.append(_whole(count.strip(BLANKS)))
    if not n or n > len(names) + 100_000 or any(not 1 <= i <= n for i in names):
        raise Refused
    if totals.get("NUMBER VOTERS", sum(counts)) != sum(counts):
        raise Refused
    for key in ("NUMBER UNIQUE ORDERS", "NUMBER UNIQUE PREFERENCES"):
        if totals.get(key, len(rankings)) != len(rankings):
            raise Refused
    return [rankings, counts, [names.get(i, str(i)) for i in range(1, n + 1)]]


def _old_header(lines):
    n = _whole(lines[0])
    if len(lines) < n + 2:
        raise Refused
    names, first = {}, 1
    for item, line in enumerate(lines[1 : n + 1], 1):
        number, comma, name = line.partition(",")
        number = _whole(number.strip(BLANKS)) if comma else -1
        if item == 1 and number == 0:
            first = 0
        if number != item - 1 + first:
            raise Refused
        names[item] = name.strip(BLANKS)
    totals = [_whole(cell.strip(" \t")) for cell in lines[n + 1].split(",")]
    if len(totals) != 3 or totals[0] != totals[1]:
        raise Refused
    return {
        "NUMBER ALTERNATIVES": n,
        "NUMBER VOTERS": totals[1],
        "NUMBER UNIQUE ORDERS": totals[2],
        "names": names,
        "first": first,
    }


def _whole(word):
    if not re.fullmatch("[0-9]{1,18}", word):
        raise Refused
    return int(word)


def _order(text, n, is_old, first):
    """Groups of an order, letter by letter."""
    groups, inside = [], None
    for piece in re.findall(r"[{}]|[^{},]+|,", text):
        if piece == ",":
            (groups if inside is None else inside).append(",")
        elif piece == "{":
            if inside is not None or (groups and groups[-1] != ","):
                raise Refused
            inside = []
        elif piece == "}":
            if inside is None:
                raise Refused
            groups.append(_items(inside) if inside or not is_old else [])
            inside = None
        elif piece.strip(" \t"):
            target = groups if inside is None else inside
            if target and target[-1] != ",":
                raise Refused
            target.append(_whole(piece.strip(" \t")))
    if inside is not None:
        raise Refused
    ranking = [group for group in _items(groups) if group != []]
    if not ranking:
        raise Refused
    items = [i for g in ranking for i in (g if isinstance(g, list) else [g])]
    if not all(first <= i < n + first for i in items) or len(set(items)) < len(items):
        raise Refused
    return [
        tuple(i - first for i in g)
        if isinstance(g, list) and len(g) > 1
        else _first(g) - first
        for g in ranking
    ]


def _items(pieces):
    """Every other piece, if those between them are commas."""
    if len(pieces) % 2 == 0 or any(p != "," for p in pieces[1::2]):
        raise Refused
    if any(p == "," for p in pieces[::2]):
        raise Refused
    return pieces[::2]


def _first(group):
    return group[0] if isinstance(group, list) else group


def write_tsplib(rng):
    """A matrix, a triangle or coordinates of two to four cities."""
    n = int(rng.integers(2, 5))
    kind = ["FULL_MATRIX", "UPPER_ROW", "LOWER_DIAG_ROW", "EUC_2D"][rng.integers(4)]
    head = f"NAME: a\nTYPE: TSP\nCOMMENT: b: c\nDIMENSION : {n}\n"
    if kind == "EUC_2D":
        cities = [
            f"{i + 1} {rng.integers(9)} {rng.normal():.2f}" for i in rng.permutation(n)
        ]
        head += f"EDGE_WEIGHT_TYPE: {kind}\nNODE_COORD_SECTION\n"
        return (head + "\n".join(cities) + "\nEOF\n").encode()
    sizes = {"FULL_MATRIX": n * n, "UPPER_ROW": n * (n - 1) // 2}
    numbers = rng.integers(-3, 99, sizes.get(kind, n * (n + 1) // 2)).astype(str)
    head += (
        f"EDGE_WEIGHT_TYPE: EXPLICIT\nEDGE_WEIGHT_FORMAT: {kind}\nEDGE_WEIGHT_SECTION\n"
    )
    half = len(numbers) // 2
    lines = [" ".join(numbers[:half]), " ".join(numbers[half:])]
    return (head + "\n".join(lines) + "\nEOF\n").encode()


def read_tsplib(data):
    """Name, kind, matrix."""
    header, sections, section = {}, {}, None
    for raw in lines_of(data):
        line = raw.strip(BLANKS)
        name = line.rstrip(" :").upper()
        if name == "EOF":
            break
        field = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*:(.*)", line)
        if name in (
            "EDGE_WEIGHT_SECTION",
            "NODE_COORD_SECTION",
            "DISPLAY_DATA_SECTION",
            "FIXED_EDGES_SECTION",
            "TOUR_SECTION",
        ):
            if name in sections:
                raise Refused
            section = sections[name] = []
        elif field:
            key = field[1].upper()
            if key in header and key != "COMMENT":
                raise Refused
            header[key], section = field[2].strip(BLANKS), None
        elif line and section is None:
            raise Refused
        elif line:
            section.append([word for word in re.split(r"[ \t\v\f]+", line) if word])
    kind = (header.get("TYPE", "").split() or [""])[0].upper()
    if kind not in ("TSP", "ATSP", "SOP"):
        raise Refused
    if not re.fullmatch("[0-9]{1,9}", header.get("DIMENSION", "")):
        raise Refused
    n = int(header["DIMENSION"])
    if not 1 <= n <= 10_000:
        raise Refused
    weight_type = header.get("EDGE_WEIGHT_TYPE", "EXPLICIT").upper()
    if weight_type == "EXPLICIT":
        matrix = _matrix(header, sections.get("EDGE_WEIGHT_SECTION", []), n, kind)
    elif weight_type == "EUC_2D":
        matrix = _plane(sections.get("NODE_COORD_SECTION", []), n)
    else:
        raise Refused  # the writer has no other
    return [header.get("NAME", "a"), kind, matrix]


def _real(word):
    if not re.fullmatch(_NUMBER, word):
        raise Refused
    value = float(word)
    if math.isinf(value):
        raise Refused
    return value


def _matrix(header, rows, n, kind):
    layout = header.get("EDGE_WEIGHT_FORMAT", "FULL_MATRIX").upper()
    words = [word for row in rows for word in row]
    numbers = [_real(word) for word in words]
    pairs = [(i, j) for i in range(n) for j in range(n)]
    shape = re.fullmatch("(UPPER|LOWER)(_DIAG)?_(ROW|COL)", layout)
    if shape is not None:
        is_upper = (shape[1] == "UPPER") == (shape[3] == "ROW")
        pairs = [
            (i, j)
            for i, j in pairs
            if (i < j if is_upper else i > j) or (shape[2] and i == j)
        ]
    elif layout != "FULL_MATRIX":
        raise Refused
    elif kind == "SOP" and len(numbers) == n * n + 1:
        if words[0] != str(n):
            raise Refused
        numbers = numbers[1:]
    if len(numbers) != len(pairs):
        raise Refused
    matrix = [[0.0] * n for _ in range(n)]
    for (i, j), value in zip(pairs, numbers, strict=True):
        matrix[i][j] = value
        if shape is not None:
            matrix[j][i] = value
    return matrix


def _plane(rows, n):
    cities = {}
    for row in rows:
        if (
            len(row) != 3
            or not re.fullmatch("[0-9]+", row[0])
            or len(row[0]) > len(str(n))
        ):
            raise Refused
        if int(row[0]) in cities or not 1 <= int(row[0]) <= n:
            raise Refused
        cities[int(row[0])] = _real(row[1]), _real(row[2])
    if len(cities) != n:
        raise Refused
    points = [cities[i] for i in range(1, n + 1)]
    try:
        return [
            [
                float(math.floor(math.sqrt((a - c) ** 2 + (b - d) ** 2) + 0.5))
                for c, d in points
            ]
            for a, b in points
        ]
    except OverflowError:
        raise Refused from None
