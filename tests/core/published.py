"""The published formulas (arXiv 2512.17851, `method.md`) as loops over numbers, for two objects: slow, plain and independent of core."""

import math


def softmax_over_tokens(query, key, scale):
    """`A[s][t]` of one head, from lists of query and key vectors."""
    rows = []
    for q in query:
        logits = [scale * sum(a * b for a, b in zip(q, k, strict=True)) for k in key]
        top = max(logits)
        powers = [math.exp(logit - top) for logit in logits]
        rows.append([power / sum(powers) for power in powers])
    return rows


def object_map(heads, tokens, height, width):
    """`A_S = mean over tokens of mean over heads`, from `heads[n][s][t]` to `[h][w]`."""

    def cell(s):
        return sum(head[s][t] for head in heads for t in tokens) / (len(heads) * len(tokens))

    return [[cell(h * width + w) for w in range(width)] for h in range(height)]


def position(i, n):
    return i / (n - 1) if n > 1 else 0.5


def statistics(one_map):
    """`m`, `(c_x, c_y)` and `v` of `one_map[h][w]`."""
    height, width = len(one_map), len(one_map[0])
    cells = [(position(w, width), position(h, height), one_map[h][w]) for h in range(height) for w in range(width)]
    m = sum(a for _, _, a in cells)
    cx = sum(x * a for x, _, a in cells) / m
    cy = sum(y * a for _, y, a in cells) / m
    v = sum(((x - cx) ** 2 + (y - cy) ** 2) * a for x, y, a in cells) / m
    return m, (cx, cy), v


def gelu(x):
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def spatial(a, b, relation, alpha, margin):
    (ax, ay), (bx, by) = statistics(a)[1], statistics(b)[1]
    d = {"left of": bx - ax, "right of": ax - bx, "above": by - ay, "below": ay - by}[relation]
    return gelu(alpha * (margin - d))


def presence(a, b):
    return statistics(a)[2] + statistics(b)[2]


def balance(a, b):
    return abs(statistics(a)[2] - statistics(b)[2])


def total(layers, relation, *, alpha, margin, lambda_s, lambda_p, lambda_b):
    """Mean over `layers` of `(level, map of A, map of B)`; presence counts on the coarse level, balance on the middle one."""
    losses = []
    for level, a, b in layers:
        loss = lambda_s * spatial(a, b, relation, alpha, margin)
        if level == "coarse":
            loss += lambda_p * presence(a, b)
        if level == "middle":
            loss += lambda_b * balance(a, b)
        losses.append(loss)
    return sum(losses) / len(losses)
