"""People that the kit draws itself: a parametric head, painted, lit and photographed by ray casting."""
