"""How a face table is built: frames go to worker processes, come back as aligned faces, and are written down."""
