"""The site's machinery is imported as its configuration imports it: as `_ext`, from the folder of the site."""

import sys

from scratch import DOCS

sys.path.insert(0, str(DOCS))
