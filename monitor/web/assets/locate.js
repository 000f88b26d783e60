// Drawing where a part of a site is: over the site's own newest picture, a line or an outline into the field for GeoJSON.
import * as maplibregl from "maplibre-gl";
import { TerraDraw, TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";

import { showMap } from "./world.js";

const PRECISION = 7; // a centimetre: a pixel is ten metres, and a corner should not move while it is drawn
const NEAREST = 18;
const host = document.querySelector("#map[data-locate]");
const field = document.querySelector("#geometry");
const data = host && JSON.parse(document.getElementById("map-data").textContent);
const buttons = { linestring: document.querySelector("#draw-line"), polygon: document.querySelector("#draw-outline") };

/** Lay the picture under the outlines; a change of colours takes every layer away, and this one comes again. */
function lay(map) {
  if (!data.picture || map.getSource("picture")) return;
  const { url, corners } = data.picture;
  map.addSource("picture", { type: "image", url: new URL(url, location.href).href, coordinates: corners });
  const paint = { "raster-resampling": "nearest", "raster-fade-duration": 0 };
  map.addLayer({ id: "picture", type: "raster", source: "picture", paint }, "outlines");
  for (const mark of ["sites", "names"]) map.setLayoutProperty(mark, "visibility", "none"); // they would stand in the picture
}

function near(map) {
  map.setMaxZoom(NEAREST);
  if (data.bounds) map.fitBounds(data.bounds, { padding: 12, animate: false, maxZoom: NEAREST });
}

function tool(map) {
  const colour = getComputedStyle(document.documentElement).getPropertyValue("--unusual").trim();
  const coordinates = { midpoints: true, draggable: true, deletable: true };
  const flags = { feature: { draggable: true, coordinates } };
  return new TerraDraw({
    adapter: new TerraDrawMapLibreGLAdapter({ map, lib: maplibregl, coordinatePrecision: PRECISION }),
    modes: [
      new TerraDrawLineStringMode({ styles: { lineStringColor: colour, lineStringWidth: 3, closingPointColor: colour } }),
      new TerraDrawPolygonMode({
        styles: { fillColor: colour, fillOpacity: 0.2, outlineColor: colour, outlineWidth: 2, closingPointColor: colour },
      }),
      new TerraDrawSelectMode({
        flags: { polygon: flags, linestring: flags },
        styles: { selectedPolygonColor: colour, selectedLineStringColor: colour, selectionPointColor: colour },
      }),
    ],
  });
}

function drawn(draw) {
  return draw.getSnapshot().filter(({ properties }) => properties.mode === "polygon" || properties.mode === "linestring");
}

/** Write what was drawn last into the field: a part has one shape. */
function write(draw) {
  const last = drawn(draw).at(-1);
  if (last) field.value = JSON.stringify(last.geometry);
}

function press(mode) {
  for (const [name, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(name === mode));
}

const map = host && showMap(host);
if (map) {
  map.on("style.load", () => lay(map));
  map.once("load", () => {
    lay(map);
    near(map);
    const draw = tool(map);
    draw.start();
    for (const [mode, button] of Object.entries(buttons))
      button.addEventListener("click", () => {
        draw.clear();
        draw.setMode(mode);
        press(mode);
      });
    document.querySelector("#draw-clear").addEventListener("click", () => {
      draw.clear();
      field.value = "";
    });
    draw.on("finish", () => {
      write(draw);
      draw.setMode("select");
      press("");
    });
    draw.on("change", () => draw.getMode() === "select" && write(draw));
    map.once("idle", () => (host.dataset.drawing = "ready"));
  });
}
