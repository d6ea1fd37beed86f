const PIECE = 1 << 20, LARGEST = 200e6;

function render({ model, el }) {
  el.classList.add("fersyn-picker");
  // Run All ends at the notebook's last cell: the panel comes back into sight, once.
  setTimeout(() => el.closest(".fersyn-explorer")?.scrollIntoView({ block: "start" }), 400);
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
