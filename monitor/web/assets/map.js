// The maps that show where sites are: on the first page, on the page of a site, and before one is added.
import { showMap } from "./world.js";

for (const host of document.querySelectorAll("[data-map]")) showMap(host);
