"""How sure an accuracy is, and a difference of two."""

import math


def std_error(accuracy: float, num_images: int) -> float:
    """Return the standard error of an accuracy (0..1) over so many images, a binomial share.

    None or all of the images right count as half an image away from that: no finite sample makes sure.
    """
    margin = 0.5 / num_images
    share = min(max(accuracy, margin), 1 - margin)
    return math.sqrt(share * (1 - share) / num_images)
