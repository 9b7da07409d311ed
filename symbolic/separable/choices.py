"""One option of each of several lists: the combinations of the first options, without going through all of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

__all__ = ["first_choices"]


def first_choices(counts: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    """Up to ``most`` index tuples by increasing sum; index k runs below ``counts[k]``.

    Three options in each of twenty lists are 3.5 thousand million combinations, of which a few are wanted.

    Examples
    --------
    >>> list(first_choices([2, 3], 4))
    [(0, 0), (0, 1), (1, 0), (0, 2)]
    >>> len(list(first_choices([3] * 20, 5))), list(first_choices([2, 0], 5))
    (5, [])
    """
    if not all(counts):
        return
    start = (0,) * len(counts)
    heap, seen = [(0, start)], {start}
    for _ in range(most):
        if not heap:
            return
        total, index = heapq.heappop(heap)
        yield index
        for k, count in enumerate(counts):
            further = (*index[:k], index[k] + 1, *index[k + 1 :])
            if further[k] < count and further not in seen:
                seen.add(further)
                heapq.heappush(heap, (total + 1, further))
