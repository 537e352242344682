"""What the live process counts, shown with everything else by /metrics."""

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("vv_live_sockets", "Open sockets.", multiprocess_mode="livesum")
FRAMES = Counter("vv_live_frames_total", "Frames handed to sockets.")
CLOSED = Counter("vv_live_closed_total", "Sockets closed by the server, by close code.", ["code"])
REFUSED = Counter("vv_live_refused_total", "Handshakes refused, by reason.", ["reason"])
