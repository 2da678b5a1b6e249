// The causal map: tokens down, layers across. Drawn as one SVG that fits the room it has.
// Keyboard: arrows move, Enter asks, Home and End go to the row's ends, F is full screen.

const PADDING = 16; // pixels around the map on full screen, as in heat_map.css
const SHARE = 0.53; // of the window's height, for the map when it is not on full screen
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// The values as numbers, row after row; NaN where a cell is not computed yet.
function numbers(model) {
  const bytes = model.get("values");
  const count = Math.floor(bytes.byteLength / 4);
  return Array.from({ length: count }, (_, i) => bytes.getFloat32(4 * i, true));
}

const visible = (token) => token.trim() || token.replaceAll(" ", "␣").replaceAll("\n", "⏎");

function shadeOf(share, shades) {
  const last = shades.length - 1;
  return shades[Math.max(0, Math.min(last, Math.round(share * last)))];
}

// Black or white: what can be read on a shade.
function inkOn(shade) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(shade.slice(i, i + 2), 16));
  return 0.3 * r + 0.59 * g + 0.11 * b > 140 ? "#111111" : "#ffffff";
}

class Drawing {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.cursor = null; // [row, layer] that keyboard or pointer is at
    root.classList.add("kh-map");
    this.svg = element("svg", { class: "kh-map-svg", tabindex: "0", role: "application" });
    this.said = document.createElement("div"); // what a screen reader hears, and others read
    this.said.className = "kh-map-said";
    this.said.setAttribute("aria-live", "polite");
    this.button = document.createElement("button");
    this.button.className = "kh-map-full";
    this.button.type = "button";
    this.button.addEventListener("click", () => this.toggleFullScreen());
    root.append(this.svg, this.said, this.button);
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.moveTo(null));
    this.svg.addEventListener("click", (event) => this.press(event));
    this.seen = new ResizeObserver(() => this.draw());
    this.seen.observe(root);
    this.draw();
  }

  get words() {
    return this.model.get("words");
  }

  get size() {
    return [this.model.get("tokens").length, this.model.get("layers")];
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen();
  }

  // ------------------------------------------------------------ drawing

  layout() {
    const [rows, columns] = this.size;
    const full = document.fullscreenElement === this.root;
    const width = Math.max(this.root.clientWidth - (full ? 2 * PADDING : 0), 320);
    const room = full ? this.root.clientHeight - 90 : Math.max(280, window.innerHeight * SHARE);
    const usual = parseFloat(getComputedStyle(this.root).fontSize);
    const font = full ? Math.min(36, Math.max(18, room / rows / 1.9)) : usual;
    const longest = Math.max(0, ...this.model.get("tokens").map((each) => visible(each).length));
    const left = Math.min(width * 0.34, font * 0.62 * (longest + 2) + 14);
    const [top, bottom, right] = [font * 0.5, font * 2.9, font * 4.9];
    const tall = Math.min((room - top - bottom) / Math.max(rows, 1), full ? 200 : 3.2 * font);
    const wide = (width - left - right) / Math.max(columns, 1);
    const height = top + bottom + tall * rows;
    return { rows, columns, width, height, font, left, top, tall, wide, full };
  }

  draw() {
    if (!this.root.isConnected || !this.root.clientWidth) return;
    const at = (this.at = this.layout());
    this.values = numbers(this.model);
    this.button.textContent = at.full ? this.words.leave : this.words.full;
    this.svg.setAttribute("aria-label", this.words.about);
    this.svg.setAttribute("width", at.width);
    this.svg.setAttribute("height", at.height);
    this.svg.setAttribute("viewBox", `0 0 ${at.width} ${at.height}`);
    this.svg.replaceChildren(
      element("rect", { width: at.width, height: at.height, fill: "#ffffff" }),
      this.labels(),
      this.cells(),
      this.numbersBelow(),
      this.scale(),
      (this.marks = element("g", {})),
    );
    this.drawMarks();
  }

  labels() {
    const { left, top, tall, font } = this.at;
    const group = element("g", { "font-size": font, "text-anchor": "end" });
    const [first, stop] = this.model.get("subject");
    this.model.get("tokens").forEach((token, row) => {
      const starred = row >= first && row < stop;
      const y = top + (row + 0.5) * tall;
      if (starred) {
        group.append(
          element("rect", {
            x: 0,
            y: top + row * tall + 1,
            width: left - 6,
            height: tall - 2,
            rx: 3,
            fill: "#FFE8A3",
          }),
        );
      }
      group.append(
        element(
          "text",
          {
            x: left - 12,
            y,
            "dominant-baseline": "central",
            fill: "#111111",
            "font-weight": starred ? 700 : 400,
          },
          visible(token) + (starred ? "*" : ""),
        ),
      );
    });
    return group;
  }

  share(value) {
    const [low, high] = [this.model.get("low"), this.model.get("high")];
    return (value - low) / Math.max(high - low, 1e-9);
  }

  cells() {
    const { rows, columns, left, top, tall, wide } = this.at;
    const shades = this.model.get("shades");
    const group = element("g", {});
    const largest = Math.max(...this.values.filter((value) => !Number.isNaN(value)));
    for (let row = 0; row < rows; row++) {
      for (let layer = 0; layer < columns; layer++) {
        const value = this.values[row * columns + layer];
        const known = value !== undefined && !Number.isNaN(value);
        const [x, y] = [left + layer * wide, top + row * tall];
        const fill = known ? shadeOf(this.share(value), shades) : "#ECECEC";
        group.append(
          element("rect", {
            x: x + 0.5,
            y: y + 0.5,
            width: Math.max(wide - 1, 1),
            height: Math.max(tall - 1, 1),
            fill,
            class: known ? "kh-cell" : "kh-cell kh-cell-open",
          }),
        );
        // A dot says "strong" once more, for projectors and eyes that show no colour.
        if (known && this.share(value) >= 0.5) {
          const radius = Math.min(wide, tall) * (value === largest ? 0.3 : 0.14);
          group.append(
            element("circle", {
              cx: x + wide / 2,
              cy: y + tall / 2,
              r: radius,
              fill: inkOn(fill),
              "pointer-events": "none",
            }),
          );
        }
      }
    }
    return group;
  }

  numbersBelow() {
    const { rows, columns, left, top, tall, wide, font } = this.at;
    const group = element("g", {
      "font-size": font * 0.86,
      "text-anchor": "middle",
      fill: "#111111",
    });
    const base = top + rows * tall;
    const step = columns > 12 ? 5 : 1;
    for (let layer = 0; layer < columns; layer += step) {
      group.append(
        element("text", { x: left + (layer + 0.5) * wide, y: base + font * 1.1 }, layer),
      );
    }
    group.append(
      element(
        "text",
        {
          x: left + (columns * wide) / 2,
          y: base + font * 2.4,
          "font-size": font,
        },
        this.words.layer,
      ),
    );
    return group;
  }

  scale() {
    const { rows, columns, left, top, tall, wide, font } = this.at;
    const shades = this.model.get("shades");
    const group = element("g", { "font-size": font * 0.86, fill: "#111111" });
    const [x, width, height] = [left + columns * wide + font * 0.9, font * 0.9, rows * tall];
    shades.forEach((fill, i) => {
      const part = height / shades.length;
      group.append(
        element("rect", { x, y: top + height - (i + 1) * part, width, height: part + 0.6, fill }),
      );
    });
    group.append(element("rect", { x, y: top, width, height, fill: "none", stroke: "#111111" }));
    const spots = [
      ["high", this.model.get("high")],
      ["low", this.model.get("low")],
    ];
    for (const [place, value] of spots) {
      const y = place === "high" ? top + font * 0.7 : top + height;
      group.append(element("text", { x: x + width + 5, y }, value.toFixed(2)));
    }
    const floor = this.share(this.model.get("corrupted"));
    if (floor > 0.06 && floor < 0.94) {
      const y = top + height * (1 - floor);
      group.append(
        element("line", {
          x1: x - 3,
          x2: x + width + 3,
          y1: y,
          y2: y,
          stroke: "#111111",
          "stroke-width": 2,
        }),
      );
    }
    group.append(
      element(
        "text",
        {
          x: x + width / 2,
          y: top + height + font * 1.3,
          "text-anchor": "middle",
        },
        `p(${this.model.get("answer").trim()})`,
      ),
    );
    return group;
  }

  // ------------------------------------------------------------ where one is

  drawMarks() {
    const { left, top, tall, wide } = this.at;
    this.marks.replaceChildren();
    const frame = ([row, layer], colour, thick, far) =>
      this.marks.append(
        element("rect", {
          x: left + layer * wide - far,
          y: top + row * tall - far,
          width: wide + 2 * far,
          height: tall + 2 * far,
          fill: "none",
          stroke: colour,
          "stroke-width": thick,
          "pointer-events": "none",
        }),
      );
    const chosen = this.model.get("chosen");
    if (this.cursor) frame(this.cursor, "#111111", 2.5, 1);
    if (chosen.length) frame(chosen, "#D55E00", 4, 3);
    this.tell();
  }

  tell() {
    const [row, layer] = this.cursor || [];
    if (row === undefined) {
      this.said.textContent = this.words.hint;
      return;
    }
    const value = this.values[row * this.at.columns + layer];
    const token = visible(this.model.get("tokens")[row]);
    const said = value === undefined || Number.isNaN(value) ? this.words.open : value.toFixed(3);
    this.said.textContent = this.words.cell
      .replace("{token}", token)
      .replace("{layer}", layer)
      .replace("{value}", said);
  }

  cellAt(event) {
    const box = this.svg.getBoundingClientRect();
    const { left, top, tall, wide, rows, columns } = this.at;
    const layer = Math.floor((event.clientX - box.left - left) / wide);
    const row = Math.floor((event.clientY - box.top - top) / tall);
    return row >= 0 && row < rows && layer >= 0 && layer < columns ? [row, layer] : null;
  }

  moveTo(cell) {
    this.cursor = cell;
    this.drawMarks();
  }

  point(event) {
    const cell = this.cellAt(event);
    if (String(cell) !== String(this.cursor)) this.moveTo(cell);
  }

  press(event) {
    const cell = this.cellAt(event);
    if (cell) this.choose(cell);
  }

  choose([row, layer]) {
    this.model.set("chosen", [row, layer]);
    this.model.set("asked", this.model.get("asked") + 1);
    this.model.save_changes();
  }

  key(event) {
    const [rows, columns] = this.size;
    const chosen = this.model.get("chosen");
    const [row, layer] = this.cursor || (chosen.length ? chosen : [0, 0]);
    const steps = {
      ArrowUp: [Math.max(row - 1, 0), layer],
      ArrowDown: [Math.min(row + 1, rows - 1), layer],
      ArrowLeft: [row, Math.max(layer - 1, 0)],
      ArrowRight: [row, Math.min(layer + 1, columns - 1)],
      Home: [row, 0],
      End: [row, columns - 1],
    };
    if (event.key in steps && rows) this.moveTo(this.cursor ? steps[event.key] : [row, layer]);
    else if ((event.key === "Enter" || event.key === " ") && this.cursor) this.choose(this.cursor);
    else if (event.key === "f" || event.key === "F") this.toggleFullScreen();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

const DRAWN = [
  "tokens",
  "subject",
  "layers",
  "values",
  "low",
  "high",
  "corrupted",
  "answer",
  "shades",
  "words",
];

function render({ model, el }) {
  const map = new Drawing(model, el);
  const redraw = () => map.draw();
  const remark = () => map.drawMarks();
  DRAWN.forEach((name) => model.on(`change:${name}`, redraw));
  model.on("change:chosen", remark);
  document.addEventListener("fullscreenchange", redraw);
  window.addEventListener("resize", redraw);
  return () => {
    map.seen.disconnect();
    document.removeEventListener("fullscreenchange", redraw);
    window.removeEventListener("resize", redraw);
    DRAWN.forEach((name) => model.off(`change:${name}`, redraw));
    model.off("change:chosen", remark);
  };
}

export default { render };
