// Small helpers. Text only ever becomes textContent, so nothing that a node or camera sends is HTML.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'class') made.className = value;
    else if (name === 'text') made.textContent = value;
    else if (name in made && typeof value !== 'string') made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Writes only what has changed, so that a selection or a screen reader is not disturbed.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function number(text, digits = 0) {
  const value = Number.parseFloat(text);
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}
