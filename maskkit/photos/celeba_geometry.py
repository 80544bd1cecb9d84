"""Where things are in CelebA's aligned photos, in their own pixels."""

import numpy as np

ALIGNED_SIZE = (218, 178)  # height and width of a photo
CROP = 178  # the side of the square that is cut out of its middle
USUAL_BOX = (45.0, 93.0, 131.0, 179.0)  # where dlib's HOG finds most faces: left, top, right, bottom

# Where HOG looks first, in the same way: there it finds faces as well as in the whole photo, in half the time.
SURROUNDINGS = (10, 63, 167, 218)

# The medians of dlib's eye centres, the subject's right eye first.
ALIGNED_EYES = np.array([[69.3, 112.7], [107.8, 112.7]])
