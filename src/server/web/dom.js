// Elements without a template language: text is always text, so nothing that is watched can become markup.

/** Makes an element: `h("a.link", { href }, "text", child)`. `on*` are listeners; a value of null or false is left out. */
export function h(what, attributes, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.classList.add(...value.split(" ").filter(Boolean));
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces all that is in an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
}

/**
 * Makes the children of an element those of a list, in its order. One whose key remains keeps its element, so that focus and
 * scrolling stay where they are; it is made anew only where what it shows has changed.
 */
export function reconcile(parent, items, key, render, shows = JSON.stringify) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const seen = shows(item);
    let child = before.get(name);
    before.delete(name);
    if (!child || child.shown !== seen) {
      const fresh = render(item);
      fresh.dataset.key = name;
      fresh.shown = seen;
      if (child) {
        const had = child.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
        if (child === place) place = child.nextElementSibling;
        child.replaceWith(fresh);
        if (had) fresh.querySelector(`[data-focus="${CSS.escape(had)}"]`)?.focus();
      }
      child = fresh;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const gone of before.values()) gone.remove();
}

/** A button. */
export function button(text, onclick, attributes = {}) {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

/** Shows a short message for a while. */
export function notice(text, isBad = false) {
  const place = document.getElementById("notice");
  const line = h("p", { class: isBad ? "bad" : "" }, text);
  place.append(line);
  setTimeout(() => line.remove(), isBad ? 9000 : 4000);
}

/** A dialog; `render(close)` gives what is in it. Escape closes it. */
export function dialog(title, render) {
  const box = h("dialog", { "aria-label": title });
  const close = () => {
    box.close();
    box.remove();
  };
  box.append(h("h2", {}, title), render(close));
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => event.target === box && close());
  document.body.append(box);
  box.showModal();
  return close;
}
