// What only the browser can do for the page: its address, files, the clipboard, and noticing that
// Python is gone. Python beats every two seconds; when four beats in a row are missing, we say so.

const LOOK_EVERY = 2000; // milliseconds
const MISSED = 5;

function save({ name, kind }, buffers) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([buffers[0]], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function curtain(model) {
  const made = document.createElement("div");
  made.className = "kh-gone";
  made.setAttribute("role", "alertdialog");
  made.hidden = true;
  const words = document.createElement("p");
  const button = document.createElement("button");
  button.type = "button";
  button.addEventListener("click", () => location.reload());
  const say = () => {
    words.textContent = model.get("words").gone;
    button.textContent = model.get("words").reload;
  };
  say();
  model.on("change:words", say);
  made.append(words, button);
  document.body.append(made);
  return made;
}

function render({ model, el }) {
  el.style.display = "none";
  const gone = curtain(model);
  let missed = 0;
  const beat = () => {
    missed = 0;
    gone.hidden = true;
  };
  const look = () => {
    missed += 1;
    if (missed < MISSED || !gone.hidden) return;
    gone.hidden = false;
    gone.querySelector("button").focus();
  };
  const timer = setInterval(look, LOOK_EVERY);
  const address = () => {
    if (model.get("owns_address")) history.replaceState(null, "", model.get("address"));
  };
  const language = () => {
    document.documentElement.lang = model.get("language");
    if (model.get("owns_address")) document.title = model.get("title");
  };
  const message = (content, buffers) => {
    if (content.what === "save") save(content, buffers);
    if (content.what === "copy") navigator.clipboard?.writeText(location.href).catch(() => {});
  };
  address();
  language();
  model.on("change:beat", beat);
  model.on("change:address", address);
  model.on("change:language change:title", language);
  model.on("msg:custom", message);
  return () => {
    clearInterval(timer);
    gone.remove();
    model.off("change:beat", beat);
    model.off("change:address", address);
    model.off("change:language change:title", language);
    model.off("msg:custom", message);
  };
}

export default { render };
