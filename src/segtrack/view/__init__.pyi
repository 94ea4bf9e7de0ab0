from .library import Library as Library
from .server import View as View
from .server import start_view as start_view
