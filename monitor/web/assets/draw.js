// Drawing the outline of a new site: corner after corner on the map, into the field for GeoJSON.
import * as maplibregl from "maplibre-gl";
import { TerraDraw, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";

import { showMap } from "./world.js";

const PRECISION = 6;
const host = document.querySelector("#map");
const field = document.querySelector("#geojson");
const begin = document.querySelector("#draw-start");

function accent() {
  return getComputedStyle(document.documentElement).getPropertyValue("--unusual").trim();
}

function tool(map) {
  const colour = accent();
  return new TerraDraw({
    adapter: new TerraDrawMapLibreGLAdapter({ map, lib: maplibregl, coordinatePrecision: PRECISION }),
    modes: [
      new TerraDrawPolygonMode({
        styles: { fillColor: colour, fillOpacity: 0.2, outlineColor: colour, outlineWidth: 2, closingPointColor: colour },
      }),
      new TerraDrawSelectMode({
        flags: {
          polygon: { feature: { draggable: true, coordinates: { midpoints: true, draggable: true, deletable: true } } },
        },
        styles: { selectedPolygonColor: colour, selectedPolygonOutlineColor: colour, selectionPointColor: colour },
      }),
    ],
  });
}

/** Write what is drawn into the field: one outline, or several as one MultiPolygon. */
function write(draw) {
  const drawn = draw.getSnapshot().filter(({ geometry, properties }) => geometry.type === "Polygon" && properties.mode === "polygon");
  if (!drawn.length) return;
  const outlines = drawn.map(({ geometry }) => geometry.coordinates);
  const geometry =
    outlines.length === 1
      ? { type: "Polygon", coordinates: outlines[0] }
      : { type: "MultiPolygon", coordinates: outlines };
  field.value = JSON.stringify(geometry);
}

function press(pressed) {
  begin.setAttribute("aria-pressed", String(pressed));
}

/** Take up an outline that stands in the field already, so that it can be changed after a dry run. */
function takeUp(draw, map) {
  let outline;
  try {
    outline = JSON.parse(field.value);
  } catch {
    return; // a text that is no JSON is told by the dry run
  }
  if (outline?.type !== "Polygon") return;
  const [taken] = draw.addFeatures([{ type: "Feature", properties: { mode: "polygon" }, geometry: outline }]);
  if (!taken?.valid) return;
  const lons = outline.coordinates[0].map(([lon]) => lon);
  const lats = outline.coordinates[0].map(([, lat]) => lat);
  const box = [[Math.min(...lons), Math.min(...lats)], [Math.max(...lons), Math.max(...lats)]];
  map.fitBounds(box, { padding: 80, maxZoom: 10, animate: false });
  draw.setMode("select");
}

const map = host && showMap(host);
if (map)
  map.once("load", () => {
    const draw = tool(map);
    draw.start();
    takeUp(draw, map);
    begin.addEventListener("click", () => {
      draw.setMode("polygon");
      press(true);
    });
    document.querySelector("#draw-clear").addEventListener("click", () => {
      draw.clear();
      field.value = "";
    });
    draw.on("finish", () => {
      write(draw);
      draw.setMode("select");
      press(false);
    });
    draw.on("change", () => draw.getMode() === "select" && write(draw));
    host.dataset.drawing = "ready";
  });
