from .conversion import Conversion as Conversion
from .conversion import convert as convert
from .formats import FORMATS as FORMATS
from .formats import Format as Format
from .inputs import Input as Input
from .inputs import input_of as input_of
from .inputs import named as named
from .places import PICTURES as PICTURES
