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
