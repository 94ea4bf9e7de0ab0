from .cluster import require_ray as require_ray
from .plan import Plan as Plan
from .plan import plan_images as plan_images
from .plan import plan_videos as plan_videos
from .running import MANIFEST as MANIFEST
from .running import run_shards as run_shards
from .running import shard_files as shard_files
