// Before and after: one picture upon the other, and a slider that says how much of each is seen.
const host = document.querySelector("[data-compare]");
const slider = document.querySelector("#slide");

function show() {
  host.querySelectorAll("img")[1].style.clipPath = `inset(0 0 0 ${slider.value}%)`;
}

if (host && slider) {
  host.classList.add("sliding");
  slider.closest("[data-needs-script]").hidden = false;
  slider.addEventListener("input", show);
  show();
}
