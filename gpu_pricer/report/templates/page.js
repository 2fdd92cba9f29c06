"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const specs = JSON.parse(byId("charts").textContent);
  const STEPS = 65535, ROW = 44, SPARE = 8;

  // Light and dark: the system decides until the reader does; paper is always light.
  const root = document.documentElement, system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null, printing = false;
  const paint = () => {
    const dark = !printing && (chosen ?? (system.matches ? "dark" : "light")) === "dark";
    root.dataset.theme = dark ? "dark" : "light";
    byId("theme").textContent = dark ? "Light" : "Dark";
  };
  byId("theme").addEventListener("click", () => { chosen = root.dataset.theme === "dark" ? "light" : "dark"; paint(); });
  system.addEventListener("change", paint);
  paint();

  // Elements are made from text alone, so that no name of a product is read as HTML.
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child != null));
    return element;
  };

  const signed = (text, value) => (value > 0 ? "+" + text : text.replace("-", "−"));
  const format = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const price = (cents) => format(cents / 100, 2);
  const percent = (share) => (Number.isFinite(share) ? signed(format(100 * share, 1), share) + " %" : "–");
  const amount = (value) => (Number.isFinite(value) ? format(value, Math.abs(value) < 1000 ? 2 : 0).replace("-", "−") : "–");

  const draw = (place, spec) =>
    window.vegaEmbed(place, spec, { actions: false, renderer: "svg", ast: false }).then((shown) => { place.dataset.drawn = "yes"; return shown; });

  // The table's columns: gzip in base64; see gpu_pricer.report.packing.
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const buffer = await new Response(stream).arrayBuffer();
    const size = new DataView(buffer).getUint32(0, true), text8 = new TextDecoder();
    const header = JSON.parse(text8.decode(new Uint8Array(buffer, 4, size))), data = {};
    for (const { name, type, start, length } of header) {
      const at = 4 + size + start;
      data[name] = type === "json"
        ? JSON.parse(text8.decode(new Uint8Array(buffer, at, length)))
        : new window[type](buffer, at, length / window[type].BYTES_PER_ELEMENT);
    }
    return data;
  };

  const curveRows = (data, i) => {
    const points = data.curve.length / data.id.length, rows = [];
    const low = data.curve_low[i] / 100, high = data.curve_high[i] / 100;
    for (let p = 0; p < points; p++) {
      const units = (data.curve[i * points + p] / STEPS) * data.curve_most[i];
      rows.push({ kind: "curve", price: low + ((high - low) * p) / (points - 1), units });
    }
    const clip = (value) => Math.min(Math.max(value, low), high);
    rows.push({ kind: "support", price: clip(data.support_low[i] / 100), until: clip(data.support_high[i] / 100) });
    const step = (high - low) / (points - 1);
    const at = (value) => { // on the curve, between two of its points
      const p = Math.min(Math.floor((value - low) / step), points - 2), part = (value - rows[p].price) / step;
      return rows[p].units * (1 - part) + rows[p + 1].units * part;
    };
    for (const [what, cents] of [["Today's price", data.today[i]], ["New price", data.price[i]]]) {
      rows.push({ kind: "mark", what, price: cents / 100, units: step > 0 ? at(clip(cents / 100)) : rows[0].units });
    }
    return rows;
  };
  const drawCurve = (place, data, i) => draw(place, { ...specs.curve, datasets: { rows: curveRows(data, i) } });

  // A chart is drawn when it comes near the screen, and all of them before printing.
  const lazily = (data) => {
    const rowOf = new Map(data.id.map((id, i) => [id, i]));
    const places = [...document.querySelectorAll(".chart")];
    const show = (place) => {
      if (place.dataset.begun) return Promise.resolve();
      place.dataset.begun = "yes";
      return place.dataset.chart ? draw(place, specs[place.dataset.chart]) : drawCurve(place, data, rowOf.get(place.dataset.curve));
    };
    const watch = new IntersectionObserver((seen) => seen.filter((one) => one.isIntersecting).forEach((one) => show(one.target)), { rootMargin: "400px" });
    places.forEach((place) => watch.observe(place));
    window.drawAll = () => Promise.all(places.map(show)).then(() => places.length);
    addEventListener("beforeprint", () => { printing = true; paint(); window.drawAll(); });
    addEventListener("afterprint", () => { printing = false; paint(); });
    return rowOf;
  };

  const panel = byId("panel"), afterVat = panel.dataset.afterVat;
  const fact = (list, term, text) => { if (text != null) list.append(make("dt", {}, term), make("dd", {}, text)); };
  const range = (low, high) => (low === high ? price(low) : `${price(low)} to ${price(high)}`);

  const facts = (data, i) => {
    const list = make("dl", { class: "facts" });
    fact(list, "Today", price(data.today[i]));
    fact(list, "New", `${price(data.price[i])} (${percent(data.move[i])})` + (data.low[i] === data.high[i] ? "" : `, ${range(data.low[i], data.high[i])} by segment`));
    fact(list, "Unit cost", price(data.cost[i]) + (data.assumed[i] ? " (assumed)" : ""));
    fact(list, "Limiting rule", data.rules[data.binding[i]]);
    fact(list, "Allowed", `${price(data.allowed_low[i])} (${data.rules[data.low_rule[i]]}) to ${price(data.allowed_high[i])} (${data.rules[data.high_rule[i]]})`);
    fact(list, "Prices seen before", `${price(data.support_low[i])} to ${price(data.support_high[i])}`);
    fact(list, "Own-price elasticity", Number.isFinite(data.elasticity[i]) ? `${signed(format(data.elasticity[i], 2), data.elasticity[i])}: % of the units for 1 % on the price` : "–");
    fact(list, "Units in a period", `${amount(data.units[i])}, ${amount(data.units_today[i])} at today's price list`);
    fact(list, `Profit${afterVat} in a period`, `${amount(data.profit[i])}, ${amount(data.profit_today[i])} at today's price list`);
    fact(list, "Money moved", amount(data.money[i]));
    if (data.competitor?.[i]) fact(list, "Competitor", `${price(data.competitor[i])}, ours is ${percent(data.price[i] / data.competitor[i] - 1)} against it`);
    if (Number.isFinite(data.stock?.[i])) fact(list, "Stock", `${amount(data.stock[i])} units` + (Number.isFinite(data.cover[i]) ? `, for ${format(data.cover[i], 0)} days` : ""));
    return list;
  };

  const PARTS = [["unit_cost", "Unit cost"], ["shadow_price", "Effect of the limits"], ["sensitivity_markup", "Mark-up that price sensitivity allows"], ["opportunity_value", "What the visit would earn from other products"], ["adjustment", "Rules, price endings and rounding"], ["vat", "VAT"]];
  const table = (titles, rows) => make("table", {},
    make("thead", {}, make("tr", {}, ...titles.map((title, c) => make("th", c ? { scope: "col", class: "num" } : { scope: "col" }, title)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((text, c) => make("td", c ? { class: "num" } : {}, text))))));
  const boxed = (title, content) => make("div", {}, make("h3", {}, title), make("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": title }, content));

  const openProduct = (data, i) => {
    const close = make("button", { type: "button", class: "quiet" }, "Close");
    close.addEventListener("click", () => panel.close());
    const chart = make("div", { class: "chart" }), segments = data.segments.length;
    const title = make("div", {}, make("h2", { id: "panel-title" }, data.name[i] || data.id[i]), make("p", { class: "meta" }, `${data.name[i] ? data.id[i] + " · " : ""}${data.categories[data.category[i]]}`));
    const right = make("div", {}, make("h3", {}, "Demand"), chart);
    if (data.unit_cost) right.append(boxed("How the price is made up", table(["Part", "Amount"], PARTS.filter(([name]) => data[name]).map(([name, words]) => [words, price(data[name][i]).replace("-", "−")]))));
    const left = make("div", {}, make("h3", {}, "Price"), facts(data, i));
    if (data.prices) left.append(boxed("Price by segment", table(["Segment", "Price", "Move"], data.segments.map((name, s) => {
      const cents = data.prices[i * segments + s];
      return [name, price(cents), percent(cents / data.today[i] - 1)];
    }))));
    panel.replaceChildren(make("div", { class: "panel" }, make("header", {}, title, close), make("div", { class: "two" }, left, right)));
    if (!panel.open) panel.showModal();
    history.replaceState(null, "", "#product=" + encodeURIComponent(data.id[i]));
    drawCurve(chart, data, i);
  };
  panel.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
  panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });

  const COLUMNS = [
    ["Product", (d, i) => d.name[i] || d.id[i], (d, i) => d.name[i] || d.id[i], false],
    ["Category", (d, i) => d.categories[d.category[i]], (d, i) => d.category[i], false],
    ["Today", (d, i) => price(d.today[i]), (d, i) => d.today[i], true],
    ["New", (d, i) => price(d.price[i]), (d, i) => d.price[i], true],
    ["Move", (d, i) => percent(d.move[i]), (d, i) => d.move[i], true],
    ["Units", (d, i) => amount(d.units[i]), (d, i) => d.units[i], true],
    ["Money", (d, i) => amount(d.money[i]), (d, i) => d.money[i], true],
    ["Limiting rule", (d, i) => d.rules[d.binding[i]], (d, i) => d.rules[d.binding[i]], false],
  ];

  const productTable = (data) => {
    const haystack = data.id.map((id, i) => `${id} ${data.name[i]} ${data.categories[data.category[i]]}`.toLowerCase());
    const state = { rows: [], sort: 6, down: true };
    const head = make("div", { role: "row", class: "row headrow" }), inside = make("div", { role: "presentation" });
    const viewport = make("div", { class: "viewport", role: "rowgroup", tabindex: "0", "aria-label": "Rows of products" }, inside);
    COLUMNS.forEach(([title, , , isNumber], c) => {
      const button = make("button", { type: "button" }, title);
      button.addEventListener("click", () => { state.down = state.sort === c ? !state.down : isNumber; state.sort = c; update(); });
      head.append(make("div", { role: "columnheader", class: isNumber ? "num" : "" }, button));
    });
    byId("table").append(make("div", { role: "rowgroup" }, head), viewport);

    const render = () => {
      const first = Math.max(0, Math.floor(viewport.scrollTop / ROW) - SPARE);
      const last = Math.min(state.rows.length, Math.ceil((viewport.scrollTop + viewport.clientHeight) / ROW) + SPARE);
      const shown = [];
      for (let r = first; r < last; r++) {
        const i = state.rows[r], row = make("div", { role: "row", class: "row", "aria-rowindex": r + 2 });
        row.style.top = r * ROW + "px";
        COLUMNS.forEach(([, text, , isNumber], c) => {
          const cell = make("div", { role: "cell", class: isNumber ? "num" : "" });
          cell.append(c ? text(data, i) : make("button", { type: "button", class: "link", "data-product": data.id[i], title: `${data.name[i]} ${data.id[i]}`.trim() }, text(data, i)));
          row.append(cell);
        });
        shown.push(row);
      }
      inside.replaceChildren(...shown);
      head.style.paddingRight = `calc(1rem + ${viewport.offsetWidth - viewport.clientWidth}px)`; // of the scroll bar
    };
    const update = () => {
      const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
      const [category, direction, rule] = ["category", "direction", "rule"].map((id) => byId(id).value);
      const rows = [];
      for (let i = 0; i < haystack.length; i++) {
        if (category !== "" && data.category[i] !== +category) continue;
        if (direction !== "" && data.direction[i] !== +direction) continue;
        if (rule !== "" && data.binding[i] !== +rule) continue;
        if (words.every((word) => haystack[i].includes(word))) rows.push(i);
      }
      const key = COLUMNS[state.sort][2], sign = state.down ? -1 : 1, keys = rows.map((i) => key(data, i));
      if (!(state.sort === 6 && state.down)) { // the columns come by falling money
        const order = rows.map((_, r) => r).sort((a, b) => (keys[a] < keys[b] ? -sign : keys[a] > keys[b] ? sign : a - b));
        state.rows = order.map((r) => rows[r]);
      } else state.rows = rows;
      [...head.children].forEach((cell, c) => cell.setAttribute("aria-sort", c === state.sort ? (state.down ? "descending" : "ascending") : "none"));
      byId("table").setAttribute("aria-rowcount", state.rows.length + 1);
      byId("count").textContent = `${format(rows.length, 0)} of ${format(haystack.length, 0)} products`;
      inside.style.height = state.rows.length * ROW + "px";
      inside.style.position = "relative";
      viewport.scrollTop = 0;
      render();
    };
    const options = (id, names) => names.forEach((name, i) => byId(id).append(make("option", { value: i }, name)));
    options("category", data.categories);
    options("direction", data.directions);
    options("rule", data.rules);
    viewport.addEventListener("scroll", () => requestAnimationFrame(render), { passive: true });
    addEventListener("resize", render);
    byId("search").addEventListener("input", update);
    ["category", "direction", "rule"].forEach((id) => byId(id).addEventListener("change", update));
    document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
    update();
  };

  unpack(byId("packed").textContent).then((data) => {
    byId("packed").remove();
    const rowOf = lazily(data);
    productTable(data);
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-product]");
      if (button && rowOf.has(button.dataset.product)) openProduct(data, rowOf.get(button.dataset.product));
    });
    const named = /^#product=(.+)$/.exec(location.hash);
    if (named && rowOf.has(decodeURIComponent(named[1]))) openProduct(data, rowOf.get(decodeURIComponent(named[1])));
    root.dataset.ready = "yes";
  });
})();
