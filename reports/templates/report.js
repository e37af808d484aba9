(function () {
  "use strict";
  var root = document.documentElement, button = document.getElementById("theme");
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function remembered(value) {
    try {
      if (value) localStorage.setItem("bookbench-theme", value);
      return localStorage.getItem("bookbench-theme");
    } catch (error) { return null; }
  }
  function dark() { return root.dataset.theme ? root.dataset.theme === "dark" : system.matches; }
  function show() { button.textContent = dark() ? "Light" : "Dark"; }
  if (remembered()) root.dataset.theme = remembered();
  button.hidden = false;
  button.addEventListener("click", function () {
    root.dataset.theme = dark() ? "light" : "dark";
    remembered(root.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  show();

  function key(row, column) {
    var cell = row.children[column];
    if (!cell) return null;
    return cell.dataset.sort !== undefined ? Number(cell.dataset.sort) : cell.textContent.trim();
  }
  function compare(a, b) {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return typeof a === "number" ? a - b : a.localeCompare(b);
  }
  document.querySelectorAll("table").forEach(function (table) {
    var body = table.tBodies[0], heads = table.tHead.rows[0].cells;
    if (body.rows.length < 2) return;
    Array.prototype.forEach.call(heads, function (head, column) {
      var sorter = document.createElement("button");
      sorter.type = "button";
      while (head.firstChild) sorter.appendChild(head.firstChild);
      head.appendChild(sorter);
      sorter.addEventListener("click", function () {
        var up = head.getAttribute("aria-sort") !== "ascending";
        Array.prototype.forEach.call(heads, function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        Array.prototype.slice.call(body.rows).map(function (row, place) {
          return { row: row, key: key(row, column), place: place };
        }).sort(function (a, b) {
          var order = compare(a.key, b.key);
          if (typeof a.key !== typeof b.key) return order;
          return (up ? order : -order) || a.place - b.place;
        }).forEach(function (entry) { body.appendChild(entry.row); });
      });
    });
  });
})();
