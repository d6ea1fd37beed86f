// A picture of the page at full size, as a click or Enter asks for it; Escape or another click closes it.
const large = document.querySelector("dialog");
for (const picture of document.querySelectorAll("figure img")) {
  const open = () => {
    const close = Object.assign(document.createElement("form"), { method: "dialog", innerHTML: "<button>Close</button>" });
    const copy = picture.parentElement.cloneNode(true), shown = copy.querySelector("img");
    for (const name of ["width", "height", "role", "tabindex", "aria-haspopup"]) shown.removeAttribute(name);
    copy.className = picture.closest("figure").className;
    shown.onclick = () => large.close();
    large.replaceChildren(close, copy);
    large.showModal();
  };
  picture.onclick = open;
  picture.onkeydown = event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } };
}
