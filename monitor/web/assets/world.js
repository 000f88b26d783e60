// A map of the watched sites: shape and colour say how a site stands, hollow that nobody can see it now.
import { AttributionControl, LngLat, Map, MercatorCoordinate, NavigationControl, Popup, ScaleControl, setWorkerUrl } from "maplibre-gl";

import { LETTERS, NAME_EMS, TILE, cut, spread } from "./spread.js";

const FIT = { padding: { top: 60, bottom: 70, left: 90, right: 90 }, maxZoom: 7, animate: false };
const FONT = ['"Source Sans 3 Variable"', "sans-serif"]; // quoted: a family that holds a digit is no plain word in CSS
const URGENCY = ["match", ["slice", ["get", "state"], 0, 7], "unusual", 3, "ordinar", 2, 1];
// Where a name may stand beside its mark, in letter heights: far enough not to collide with it.
const ANCHORS = [
  "left", [1.25, 0],
  "right", [-1.25, 0],
  "top", [0, 1.5],
  "bottom", [0, -1.5],
  "top-left", [1.1, 1.1],
  "bottom-left", [1.1, -1.1],
  "top-right", [-1.1, 1.1],
  "bottom-right", [-1.1, -1.1],
];
const ROOM = [">", ["get", "rank"], ["step", ["zoom"], 150, 2.5, 60, 4, 25, 6, 0]]; // from which zoom a country has room for its name
const BESIDE = { west: "left", east: "right" }; // the anchor of a name that leads away from the edge
const FOCUS_ZOOM = 5.5;
const OUTLINE_ZOOM = 8; // from here on sites are outlines, and a coarse border would run through them
const DRAFT_ZOOM = 9.5; // nearer, the coarse coast would say nothing of where it is
const NOTHING = { type: "FeatureCollection", features: [] };
const dark = matchMedia("(prefers-color-scheme: dark)");

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(
    ["paper", "card", "ink", "soft", "land", "sea", "border", "unusual", "ordinary", "unknown"].map((name) => [
      name,
      read(name),
    ]),
  );
}

function readData(host) {
  return JSON.parse(document.getElementById(host.dataset.source ?? "map-data").textContent);
}

/** The places of a name that leave it on the map, by how near the edge its mark stands. */
function anchors() {
  const kept = (names) => ANCHORS.flatMap((each, index) => (names(each) ? [each, ANCHORS[index + 1]] : []));
  const away = (side) => (each) => typeof each === "string" && each.endsWith(side);
  const centred = (each) => each === "top" || each === "bottom";
  const choices = Object.entries(BESIDE).flatMap(([edge, side]) => [
    edge,
    ["literal", kept(away(side))],
    `near ${edge}`,
    ["literal", kept((each) => centred(each) || away(side)(each))],
  ]);
  return ["match", ["get", "edge"], ...choices, ["literal", ANCHORS]];
}

function style(host, data) {
  const c = colours();
  const version = host.dataset.version;
  const tiles = new URL(`${host.dataset.tiles}/{z}/{x}/{y}.pbf?v=${version}`, location.href).href;
  return {
    version: 8,
    // No glyphs: the labels are drawn with the fonts of this machine.
    sources: {
      atlas: {
        type: "vector",
        tiles: [tiles.replaceAll("%7B", "{").replaceAll("%7D", "}")],
        maxzoom: 5,
        attribution: "Natural Earth",
      },
      countries: { type: "geojson", data: new URL(`${host.dataset.tiles}/countries.json?v=${version}`, location.href).href },
      outlines: { type: "geojson", data: data.outlines },
      sites: { type: "geojson", data: data.points },
      drafts: { type: "geojson", data: data.drafts ?? NOTHING },
      tracks: { type: "geojson", data: data.tracks ?? NOTHING },
    },
    layers: [
      { id: "sea", type: "background", paint: { "background-color": c.sea } },
      { id: "land", type: "fill", source: "atlas", "source-layer": "land", paint: { "fill-color": c.land } },
      {
        id: "coast",
        type: "line",
        source: "atlas",
        "source-layer": "land",
        paint: { "line-color": c.border, "line-width": 0.7 },
      },
      {
        id: "borders",
        type: "line",
        source: "atlas",
        "source-layer": "borders",
        maxzoom: OUTLINE_ZOOM,
        paint: { "line-color": c.border, "line-width": 1, "line-dasharray": [4, 2] },
      },
      {
        id: "countries",
        type: "symbol",
        source: "countries",
        filter: ROOM,
        layout: {
          "text-field": ["get", "name"],
          "text-font": FONT,
          "text-size": 13,
          "text-letter-spacing": 0.12,
          "text-transform": "uppercase",
        },
        paint: { "text-color": c.soft, "text-opacity": 0.75, "text-halo-color": c.land, "text-halo-width": 1.2 },
      },
      {
        id: "outlines",
        type: "line",
        source: "outlines",
        minzoom: OUTLINE_ZOOM,
        paint: { "line-color": c.ink, "line-width": 1.5 },
      },
      { id: "draft-areas", type: "fill", source: "drafts", paint: { "fill-color": c.unusual, "fill-opacity": 0.18 } },
      { id: "drafts", type: "line", source: "drafts", paint: { "line-color": c.unusual, "line-width": 2.2 } },
      {
        id: "gaps",
        type: "line",
        source: "tracks",
        filter: ["==", ["get", "kind"], "gap"],
        paint: { "line-color": c.unusual, "line-width": 1.6, "line-dasharray": [2, 3] },
      },
      {
        id: "heard",
        type: "line",
        source: "tracks",
        filter: ["==", ["get", "kind"], "heard"],
        layout: { "line-cap": "round", "line-join": "round" },
        paint: { "line-color": c.unusual, "line-width": 2.6 },
      },
      {
        id: "ends",
        type: "circle",
        source: "tracks",
        filter: ["==", ["get", "kind"], "end"],
        paint: { "circle-color": c.card, "circle-radius": 4.5, "circle-stroke-color": c.unusual, "circle-stroke-width": 2.2 },
      },
      {
        id: "end-words",
        type: "symbol",
        source: "tracks",
        filter: ["==", ["get", "kind"], "end"],
        layout: {
          "text-field": ["get", "label"],
          "text-font": FONT,
          "text-size": 13,
          "text-variable-anchor-offset": ["literal", ANCHORS],
        },
        paint: { "text-color": c.ink, "text-halo-color": c.paper, "text-halo-width": 1.6 },
      },
      {
        id: "names",
        type: "symbol",
        source: "sites",
        filter: ["!=", ["get", "edge"], "out"],
        layout: {
          "symbol-sort-key": ["-", URGENCY], // the first one gets its place
          "text-field": ["get", "name"],
          "text-font": FONT,
          "text-size": LETTERS,
          "text-max-width": NAME_EMS,
          "text-variable-anchor-offset": anchors(),
          "text-justify": "auto",
        },
        paint: { "text-color": c.ink, "text-halo-color": c.paper, "text-halo-width": 1.6 },
      },
      {
        id: "sites",
        type: "symbol",
        source: "sites",
        layout: {
          "icon-image": ["get", "state"],
          "icon-allow-overlap": true,
          "icon-padding": 0,
          "symbol-sort-key": URGENCY, // the last one is drawn on top
        },
      },
    ],
  };
}

/** Draw the marks of the legend as pictures for the map: a diamond, a disc or a square, full or hollow. */
function picture(state, c, size = 48) {
  const canvas = new OffscreenCanvas(size, size);
  const pen = canvas.getContext("2d");
  const [finding, blind] = state.split("-");
  pen.translate(size / 2, size / 2);
  pen.scale(size / 24, size / 24);
  pen.beginPath();
  if (finding === "unusual") {
    pen.moveTo(0, -9);
    pen.lineTo(9, 0);
    pen.lineTo(0, 9);
    pen.lineTo(-9, 0);
    pen.closePath();
  } else if (finding === "ordinary") pen.arc(0, 0, 6.6, 0, 2 * Math.PI);
  else pen.rect(-5.4, -5.4, 10.8, 10.8);
  pen.lineWidth = 5;
  pen.strokeStyle = c.card;
  pen.stroke();
  pen.fillStyle = blind ? c.card : c[finding];
  pen.fill();
  pen.lineWidth = blind ? 2.8 : 2.2;
  pen.strokeStyle = c[finding];
  pen.stroke();
  return pen.getImageData(0, 0, size, size);
}

function addPictures(map) {
  const c = colours();
  for (const finding of ["unusual", "ordinary", "unknown"])
    for (const state of [finding, `${finding}-blind`])
      if (!map.hasImage(state)) map.addImage(state, picture(state, c), { pixelRatio: 2 });
}

/** The box around the sites: around the unusual ones, unless all are asked for or none is. */
function bounds(points, view = "unusual") {
  const unusual = points.features.filter((each) => each.properties.state.startsWith("unusual"));
  const shown = view === "unusual" && unusual.length ? unusual : points.features;
  const all = shown.map((each) => each.geometry.coordinates);
  if (!all.length) return [[-170, -55], [170, 70]];
  const lons = all.map(([lon]) => lon);
  const lats = all.map(([, lat]) => lat);
  return [
    [Math.min(...lons), Math.min(...lats)],
    [Math.max(...lons), Math.max(...lats)],
  ];
}

function popup(map, feature) {
  const { id, name, words, headline } = feature.properties;
  const box = document.createElement("div");
  const link = document.createElement("a");
  link.href = `/sites/${encodeURIComponent(id)}`;
  link.textContent = name; // textContent: names are foreign
  box.append(link);
  for (const text of [words, headline].filter(Boolean)) {
    const line = document.createElement("p");
    line.textContent = text;
    line.dir = "auto";
    box.append(line);
  }
  new Popup({ offset: 12, maxWidth: "20rem" }).setLngLat(feature.geometry.coordinates).setDOMContent(box).addTo(map);
}

function view(host, data) {
  if (data.bounds) return { bounds: data.bounds, fitBoundsOptions: { ...FIT, maxZoom: DRAFT_ZOOM } };
  const focus = data.points.features.find((each) => each.properties.id === host.dataset.focus);
  if (focus) return { center: focus.geometry.coordinates, zoom: FOCUS_ZOOM };
  return { bounds: bounds(data.points), fitBoundsOptions: FIT };
}

function wholeEarth(host, zoom) {
  return TILE * 2 ** zoom < host.clientWidth;
}

/** Keep the map on the earth from north to south, and the earth in the middle where all of it is in view. */
function constrain(host) {
  return ({ lng, lat }, wanted) => {
    const zoom = Math.max(wanted, Math.log2(host.clientHeight / TILE));
    const half = host.clientHeight / 2 / (TILE * 2 ** zoom);
    const { y } = MercatorCoordinate.fromLngLat({ lng, lat });
    const kept = new MercatorCoordinate(0, Math.min(Math.max(y, half), 1 - half)).toLngLat();
    return { center: new LngLat(wholeEarth(host, zoom) ? 0 : lng, kept.lat), zoom };
  };
}

/** Show the map in `host` and give it; without WebGL there is none, and every site stands in the list. */
export function showMap(host) {
  try {
    return start(host);
  } catch (error) {
    console.info("no map:", error.message);
    host.hidden = true;
    return undefined;
  }
}

function start(host) {
  host.hidden = false;
  setWorkerUrl(new URL(host.dataset.worker, location.href).href);
  const data = readData(host);
  const map = new Map({
    container: host,
    style: style(host, data),
    attributionControl: false,
    locale: {
      "Map.Title": host.dataset.title, // the canvas is a region of its own
      "NavigationControl.ZoomIn": host.dataset.zoomIn,
      "NavigationControl.ZoomOut": host.dataset.zoomOut,
    },
    cooperativeGestures: matchMedia("(pointer: coarse)").matches,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    renderWorldCopies: true,
    transformConstrain: constrain(host),
    maxZoom: 14,
    ...view(host, data),
  });
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl(), "bottom-left");
  map.addControl(new AttributionControl({ compact: false }), "bottom-right");
  // A place near 180° has its surroundings on both sides, until the whole earth is in view: that is drawn once.
  const once = () => map.setRenderWorldCopies(!wholeEarth(host, map.getZoom()));
  for (const moved of ["load", "resize", "zoom"]) map.on(moved, once);
  let countries;
  const keepWhole = async (screen) => {
    countries ??= await map.getSource("countries")?.getData();
    if (!countries || !map.getLayer("countries")) return;
    const names = cut(countries, screen, (each) => map.project(each), FONT.join(", "));
    map.setFilter("countries", ["all", ROOM, ["!", ["in", ["get", "name"], ["literal", names]]]]);
  };
  const place = () => {
    const screen = { width: host.clientWidth, height: host.clientHeight };
    map.getSource("sites")?.setData(spread(readData(host).points, map.getZoom(), screen, (each) => map.project(each)));
    keepWhole(screen);
  };
  map.on("style.load", () => {
    addPictures(map);
    place();
  });
  for (const moved of ["moveend", "resize"]) map.on(moved, place);
  map.on("styleimagemissing", () => addPictures(map));
  map.on("click", "sites", (event) => popup(map, event.features[0]));
  map.on("mouseenter", "sites", () => (map.getCanvas().style.cursor = "pointer"));
  map.on("mouseleave", "sites", () => (map.getCanvas().style.cursor = ""));
  for (const each of document.querySelectorAll("[data-view]"))
    each.addEventListener("click", () => map.fitBounds(bounds(readData(host).points, each.dataset.view), FIT));
  map.once("idle", () => (host.dataset.ready = "true"));
  host.map = map; // for the console, and for whoever extends the page
  document.body.addEventListener("htmx:after:swap", place);
  dark.addEventListener("change", () => {
    for (const state of map.listImages()) map.removeImage(state);
    map.setStyle(style(host, readData(host)));
  });
  return map;
}
