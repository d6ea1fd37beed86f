"""Readers: one a data set, each from the layout in which the set is distributed to a `FrameSet`."""
