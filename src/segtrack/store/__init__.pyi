from .store import Build as Build
from .store import Entry as Entry
from .store import StageCall as StageCall
from .store import StageResult as StageResult
from .store import Store as Store
