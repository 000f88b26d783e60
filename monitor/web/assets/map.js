// The map on the first page and on the page of a site.
import { showMap } from "./world.js";

const host = document.querySelector("#map");
if (host) showMap(host);
