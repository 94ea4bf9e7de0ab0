from .tables import aggregate as aggregate
from .tables import table_csv as table_csv
from .tables import table_html as table_html
from .tables import table_text as table_text
from .tracking import write_tracking_report as write_tracking_report
from .video import render as render
