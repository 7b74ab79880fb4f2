"use strict";
(() => {
  const make = (name, attributes = {}, ...inside) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...inside);
    return node;
  };

  // Tables: a button in each heading sorts, a field above long ones filters.
  const FILTERED_FROM = 6;

  const number = (text) => (text.trim() === "" ? NaN : Number(text));

  function compare(a, b) {
    // What has no value stands last, whichever way the rest goes.
    const [x, y] = [number(a), number(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    return a.localeCompare(b, "en", { numeric: true });
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      const button = make("button", { type: "button" }, head.textContent);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[place].dataset.v;
        const [empty, full] = [[], []];
        for (const row of body.rows) (value(row) === "" ? empty : full).push(row);
        full.sort((a, b) => (down ? -1 : 1) * compare(value(a), value(b)));
        body.append(...full, ...empty);
      });
    });
  }

  function filterable(table, region) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < FILTERED_FROM) return;
    const field = make("input", { type: "search", placeholder: "words, all of them" });
    const count = make("span", { class: "count", "aria-live": "polite" }, `${rows.length} rows`);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = `${shown} of ${rows.length} rows`;
    });
    const bar = make("div", { class: "filter" }, make("label", {}, "Filter rows: ", field), count);
    region.before(bar);
  }

  for (const region of document.querySelectorAll(".scroll")) {
    const table = region.querySelector("table");
    sortable(table);
    filterable(table, region);
  }

  // Light, dark, or as the system says.
  const THEMES = ["auto", "light", "dark"];
  const theme = make("button", { type: "button", class: "theme" });
  const setTheme = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    theme.textContent = `Colours: ${name}`;
    theme.dataset.now = name;
  };
  theme.addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(theme.dataset.now) + 1) % THEMES.length]);
  });
  setTheme("auto");
  document.querySelector("nav").append(theme);

  // The browser of cases.
  const data = document.getElementById("cases");
  if (data) browse(JSON.parse(data.textContent), document.getElementById("browser"));

  function unpack(base64, size) {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const labels = new Uint8Array(size);
    let at = 0;
    for (let place = 0; place < bytes.length; ) {
      const value = bytes[place++];
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[place++];
        length += (byte & 127) * 2 ** shift;
        if (byte < 128) break;
      }
      labels.fill(value, at, at + length);
      at += length;
    }
    return labels;
  }

  function outline(pen, labels, shape, slice, only, scale, dashed) {
    // Along the edges of pixels; a dashed line leaves out every other one.
    const [, rows, columns] = shape;
    const start = slice * rows * columns;
    const of = (row, column) => {
      if (row < 0 || column < 0 || row >= rows || column >= columns) return 0;
      const value = labels[start + row * columns + column];
      return value === 255 || (only > 0 && value !== only) ? 0 : value;
    };
    pen.beginPath();
    for (let row = 0; row <= rows; row++) {
      for (let column = 0; column <= columns; column++) {
        const here = of(row, column);
        if ((!dashed || column % 2 === 0) && here !== of(row - 1, column)) {
          pen.moveTo(column * scale, row * scale);
          pen.lineTo((column + 1) * scale, row * scale);
        }
        if ((!dashed || row % 2 === 0) && here !== of(row, column - 1)) {
          pen.moveTo(column * scale, row * scale);
          pen.lineTo(column * scale, (row + 1) * scale);
        }
      }
    }
    pen.stroke();
  }

  function browse({ entries, images }, place) {
    if (!entries.length) return;
    const unique = (values) => [...new Set(values)];
    const choice = (label) => {
      const select = make("select", { "aria-label": label });
      return [select, make("label", {}, `${label}: `, select)];
    };
    const fill = (select, values) => {
      const before = select.value;
      select.replaceChildren(...values.map((value) => make("option", { value }, value)));
      if (values.includes(before)) select.value = before;
    };
    const [comparison, comparisonLabel] = choice("Comparison");
    const [row, rowLabel] = choice("Method");
    const [only, onlyLabel] = choice("Class");
    const kinds = make("fieldset", { "aria-label": "Which case" });
    for (const kind of ["worst", "median", "best"]) {
      const input = make("input", { type: "radio", name: "kind", value: kind });
      if (kind === "worst") input.checked = true;
      kinds.append(make("label", {}, input, ` ${kind}`));
    }
    const slider = make("input", { type: "range", min: "0", step: "1", "aria-label": "Slice" });
    const slice = make("output");
    const toggle = (name, label) => {
      const input = make("input", { type: "checkbox", checked: "" });
      const swatch = make("span", { class: `swatch ${name}` });
      return [input, make("label", {}, input, swatch, ` ${label}`)];
    };
    const [reference, referenceLabel] = toggle("reference", "reference");
    const [prediction, predictionLabel] = toggle("prediction", "prediction");
    const canvas = make("canvas", { class: "view", role: "img", tabindex: "0" });
    const said = make("p", { "aria-live": "polite", id: "said" });
    const sliceLabel = make("label", {}, "Slice: ", slider, slice);
    const outlines = make("fieldset", { "aria-label": "Outlines" }, referenceLabel, predictionLabel);
    place.append(
      make("div", { class: "controls" },
        comparisonLabel, rowLabel, kinds, onlyLabel, outlines, sliceLabel),
      canvas, said,
    );

    const decoded = new Map();
    const labelsOf = (key, packed, shape) => {
      if (!decoded.has(key)) decoded.set(key, unpack(packed, shape[0] * shape[1] * shape[2]));
      return decoded.get(key);
    };
    const pictures = new Map();
    let shown = null;

    function chosen() {
      const kind = kinds.querySelector("input:checked").value;
      return entries.find((entry) => entry.comparison === comparison.value
        && entry.row === row.value && entry.kind === kind)
        ?? entries.find((entry) => entry.comparison === comparison.value && entry.row === row.value);
    }

    function change() {
      const here = entries.filter((entry) => entry.comparison === comparison.value);
      fill(row, unique(here.map((entry) => entry.row)));
      const entry = chosen();
      const image = images[entry.image];
      if (shown === null || shown.image !== entry.image) {
        slider.max = String(image.shape[0] - 1);
        slider.value = String(image.start);
        fill(only, ["all", ...image.classes]);
      }
      shown = entry;
      draw();
    }

    function draw() {
      const entry = shown;
      const image = images[entry.image];
      const [, rows, columns] = image.shape;
      const at = Number(slider.value);
      if (!pictures.has(entry.image)) {
        const picture = new Image();
        picture.addEventListener("load", () => { if (shown.image === entry.image) draw(); });
        picture.src = image.source;
        pictures.set(entry.image, picture);
      }
      const picture = pictures.get(entry.image);
      const scale = Math.max(1, Math.ceil(640 / columns));
      canvas.width = columns * scale;
      canvas.height = rows * scale;
      canvas.style.aspectRatio = String(image.aspect);
      const pen = canvas.getContext("2d");
      if (picture.complete && picture.naturalWidth) {
        pen.drawImage(picture, 0, at * rows, columns, rows, 0, 0, canvas.width, canvas.height);
      }
      const wanted = image.classes.indexOf(only.value) + 1;
      pen.lineWidth = Math.max(2, canvas.width / 300);
      if (prediction.checked) {
        pen.strokeStyle = "#2fa8ff";
        const labels = labelsOf(`p ${entries.indexOf(entry)}`, entry.runs, image.shape);
        outline(pen, labels, image.shape, at, wanted, scale, false);
      }
      if (reference.checked) {
        pen.strokeStyle = "#ffd23f";
        const labels = labelsOf(`r ${entry.image}`, image.runs, image.shape);
        outline(pen, labels, image.shape, at, wanted, scale, true);
      }
      slice.textContent = `${image.slices[at] + 1} of ${image.depth}`;
      const each = Object.entries(entry.each)
        .map(([name, dice]) => `${name} ${dice === null ? "both empty" : dice.toFixed(1)}`);
      const text = `${entry.row}, ${entry.shots} shot, draw ${entry.draw}: ${entry.kind} case `
        + `${entry.case}, Dice ${entry.dice.toFixed(1)} (${each.join(", ")})`;
      said.textContent = text;
      canvas.setAttribute("aria-label", `Slice ${slice.textContent}. ${text}`);
      canvas.dataset.drawn = picture.complete && picture.naturalWidth ? "yes" : "no";
    }

    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      slider.value = String(Number(slider.value) + step);
      draw();
    });
    fill(comparison, unique(entries.map((entry) => entry.comparison)));
    comparison.addEventListener("change", change);
    row.addEventListener("change", change);
    kinds.addEventListener("change", change);
    for (const input of [only, slider, reference, prediction]) {
      input.addEventListener("input", draw);
    }
    change();
  }
})();
