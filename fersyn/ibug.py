"""The iBUG/300-W scheme of 68 landmarks (Sagonas et al. 2013): what faces, augmentation and rendered meshes share of it."""

GROUPS = {
    "jaw": range(0, 17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "lips": range(48, 68),
}
EYES = range(36, 42), range(42, 48)  # the person's right, left

# Where each point comes from in the mirror image: points[MIRROR] with x -> width - 1 - x is a face again.
MIRROR = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # bridge of the nose
    *range(35, 30, -1),  # its base
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lips
    *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lips
)
