"""The two parts of the panel that ipywidgets has not: photographs from a file or a camera, and a line to be copied.

Small anywidget modules; their JavaScript stands here as text and asks nothing of any network. Files come in pieces, for a
Jupyter server drops the connection at a message of more than 10 MB, and a camera's photograph easily has that.
"""

from __future__ import annotations

from collections.abc import Callable

import anywidget
import traitlets

LARGEST = 200_000_000  # bytes of a file

_PICKER = """
const PIECE = 1 << 20, LARGEST = 200e6;

function render({ model, el }) {
  el.classList.add("fersyn-picker");
  const make = (tag, parent, text, title) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (title) made.title = title;
    if (tag === "button") { made.type = "button"; made.className = "jupyter-button"; }
    parent.append(made);
    return made;
  };
  const row = make("div", el);
  row.className = "fersyn-picker-row";
  const upload = make("button", row, "Upload a photograph", "A picture file of this computer; it goes to the kernel and nowhere else");
  const camera = make("button", row, "Use the camera", "A photograph by this computer's camera; it goes to the kernel and nowhere else");
  const file = make("input", el);
  file.type = "file"; file.accept = "image/*"; file.hidden = true; file.tabIndex = -1;
  const live = make("div", el);
  live.hidden = true;
  const video = make("video", live);
  video.muted = true; video.playsInline = true;
  video.setAttribute("aria-label", "What the camera sees");
  const shots = make("div", live);
  shots.className = "fersyn-picker-row";
  const shoot = make("button", shots, "Take the picture");
  const stop = make("button", shots, "Stop");
  const note = make("div", el);
  note.className = "fersyn-picker-note";
  note.setAttribute("role", "status");
  let stream = null, gone = false;

  async function send(name, blob, camera) {
    if (blob.size > LARGEST) { note.textContent = name + ": more than 200 MB; save a smaller copy"; return; }
    const total = Math.max(1, Math.ceil(blob.size / PIECE)), key = String(Date.now()) + Math.random();
    for (let part = 0; part < total; part++) {
      const bytes = await blob.slice(part * PIECE, (part + 1) * PIECE).arrayBuffer();
      model.send({ kind: "piece", key, name, part, total, camera }, undefined, [bytes]);
    }
    note.textContent = "";
  }
  function end() {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null; video.srcObject = null; live.hidden = true;
  }
  upload.onclick = () => file.click();
  file.onchange = () => { if (file.files.length) send(file.files[0].name, file.files[0], false); file.value = ""; };
  camera.onclick = async () => {
    if (stream) { end(); return; }
    if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
      note.textContent = "The browser lends its camera only to pages from this computer or over https: upload a photograph instead.";
      return;
    }
    camera.disabled = true;  // a second click would open a second stream
    try {
      const fresh = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } }, audio: false });
      if (gone) { fresh.getTracks().forEach((track) => track.stop()); return; }  // the cell was run again meanwhile
      stream = fresh;
      video.srcObject = stream;
      await video.play();
      live.hidden = false; note.textContent = ""; shoot.focus();
    } catch (error) {
      end();
      note.textContent = error.name === "NotAllowedError"
        ? "The browser was not allowed to use the camera: allow it in the address bar, or upload a photograph."
        : "There is no camera that can be used here (" + error.name + "): upload a photograph instead.";
    } finally { camera.disabled = false; }
  };
  stop.onclick = () => { end(); camera.focus(); };
  shoot.onclick = () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => send("camera.jpg", blob, true), "image/jpeg", 0.95);
    end(); camera.focus();
  };
  return () => { gone = true; end(); };
}
export default { render };
"""

_COPY = """
function render({ model, el }) {
  const line = document.createElement("div");  // not el itself: its display is the layout's
  line.className = "fersyn-code";
  el.append(line); el.style.width = "100%";
  const label = document.createElement("label"), field = document.createElement("input"), copy = document.createElement("button");
  field.readOnly = true; field.spellcheck = false;
  copy.type = "button"; copy.className = "jupyter-button"; copy.textContent = "Copy";
  label.append(document.createElement("span"), field);
  line.append(label, copy);
  const show = () => {
    label.firstChild.textContent = model.get("label");
    field.value = model.get("text");
    copy.title = "Copy this line: " + model.get("label");
    line.style.display = model.get("text") ? "" : "none";
  };
  copy.onclick = async () => {
    try { await navigator.clipboard.writeText(field.value); }
    catch { field.select(); document.execCommand("copy"); copy.focus(); }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  };
  field.onfocus = () => field.select();
  model.on("change:text", show);
  model.on("change:label", show);
  show();
}
export default { render };
"""


class Picker(anywidget.AnyWidget):
    """Buttons for a file and for the camera. Where the browser has no camera, or lends it not, it says so.

    Args:
        arrived: called with (name, bytes, whether it is a snapshot) when a picture is here.
        refused: called with a sentence when what came cannot be a picture.
    """

    _esm = _PICKER

    def __init__(self, arrived: Callable[[str, bytes, bool], None], refused: Callable[[str], None]):
        super().__init__()
        self._arrived, self._refused = arrived, refused
        self._key, self._pieces = "", []
        self.on_msg(self._take)

    def _take(self, _, content: dict, buffers: list) -> None:
        if content.get("kind") != "piece" or len(buffers) != 1:
            return
        if content["part"] == 0:  # a new file; one that was under way is given up
            self._key, self._pieces = content["key"], []
        if content["key"] != self._key or content["part"] != len(self._pieces):
            return
        self._pieces.append(bytes(buffers[0]))
        if sum(map(len, self._pieces)) > LARGEST:
            self._key, self._pieces = "", []
            self._refused(f"{content['name']}: more than {LARGEST // 1_000_000} MB; save a smaller copy")
        elif len(self._pieces) == content["total"]:
            data, self._key, self._pieces = b"".join(self._pieces), "", []
            self._arrived(str(content["name"]), data, bool(content.get("camera")))


class CodeLine(anywidget.AnyWidget):
    """A line of text with a button that copies it; nothing is shown while it is empty."""

    _esm = _COPY
    label = traitlets.Unicode("").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
