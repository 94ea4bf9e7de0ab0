"""Where published weights come from."""

DOWNLOAD_HOSTS = {
    "YOLO": ("github.com", 443),
    "RF-DETR": ("storage.googleapis.com", 443),
}
"""By make of network the host and port that its library fetches from."""
