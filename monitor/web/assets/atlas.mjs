// Cuts Natural Earth (from world-atlas) into vector tiles: land, borders and names of countries.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { GeoJSONVT } from "@maplibre/geojson-vt";
import { fromGeojsonVt } from "@maplibre/vt-pbf";
import { feature, mesh } from "topojson-client";

// Each zoom gets the drawing that was made for about its scale: simplifying the finest one for a view of the whole
// world makes outlines that cross themselves, and the map then fills seas. At zoom 5 a tile unit is 300 m.
const DRAWN = [
  { zooms: [0, 1], scale: "110m" },
  { zooms: [2, 3], scale: "50m" },
  { zooms: [4, 5], scale: "10m" },
];
const EXTENT = 4096;
const TURN = 360;

/** Write every tile into `folder`/z/x/y.pbf and the names into `folder`/countries.json; give the number of tiles. */
export function writeAtlas(folder) {
  writeFileSync(join(folder, "countries.json"), JSON.stringify(names(read("countries-10m"))));
  return DRAWN.reduce((count, { zooms, scale }) => count + writeTiles(folder, zooms, layers(scale, zooms.at(-1))), 0);
}

function layers(scale, maxZoom) {
  const [land, countries] = [read(`land-${scale}`), read(`countries-${scale}`)];
  const borders = mesh(countries, countries.objects.countries, (one, other) => one !== other);
  borders.coordinates = borders.coordinates.map(unwrapped);
  return { land: index(polygons(land.objects.land, land), maxZoom), borders: index(borders, maxZoom) };
}

/** Make a line continuous: world-atlas jumps 360° at the antimeridian (Russia, Fiji), which paints bars across maps. */
export function unwrapped(line) {
  let shift = 0;
  return line.map(([lon, lat], place) => {
    const step = place ? lon - line[place - 1][0] : 0;
    if (step > TURN / 2) shift -= TURN;
    if (step < -TURN / 2) shift += TURN;
    return [lon + shift, lat];
  });
}

/** Unwrap a ring, and close one that runs once around the world (Antarctica) over its pole. */
export function unwrappedRing(ring) {
  const line = unwrapped(ring);
  const first = line[0];
  const last = line.at(-1);
  if (Math.abs(last[0] - first[0]) < TURN / 2) return line;
  const pole = first[1] < 0 ? -90 : 90;
  return [...line, [last[0], pole], [first[0], pole], first];
}

function read(name) {
  return JSON.parse(readFileSync(createRequire(import.meta.url).resolve(`world-atlas/${name}.json`), "utf8"));
}

function polygons(object, topology) {
  return {
    type: "FeatureCollection",
    features: parts(feature(topology, object)).map((rings) => ({
      type: "Feature",
      properties: {},
      geometry: { type: "Polygon", coordinates: rings.map(unwrappedRing) },
    })),
  };
}

function parts(found) {
  const features = found.features ?? [found];
  return features.flatMap(({ geometry }) =>
    geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates,
  );
}

function index(data, maxZoom) {
  return new GeoJSONVT(data, { maxZoom, indexMaxZoom: maxZoom, tolerance: 2, buffer: 64, extent: EXTENT });
}

function writeTiles(folder, zooms, found) {
  let count = 0;
  for (const z of zooms) {
    for (let x = 0; x < 2 ** z; x += 1) {
      mkdirSync(join(folder, `${z}/${x}`), { recursive: true });
      for (let y = 0; y < 2 ** z; y += 1) {
        writeFileSync(join(folder, `${z}/${x}/${y}.pbf`), tile(found, z, x, y));
        count += 1;
      }
    }
  }
  return count;
}

// Open sea is an empty file, so that no tile is ever missing.
function tile(cuts, z, x, y) {
  const found = Object.entries(cuts).map(([name, cut]) => [name, cut.getTile(z, x, y)]);
  const filled = found.filter(([, each]) => each?.features.length);
  return filled.length ? fromGeojsonVt(Object.fromEntries(filled), { version: 2, extent: EXTENT }) : new Uint8Array();
}

// A name stands in the middle of the country's largest part, at the zoom from which that part has room for it.
function names(countries) {
  const all = feature(countries, countries.objects.countries).features;
  return {
    type: "FeatureCollection",
    features: all.flatMap(({ geometry, properties }) => {
      const rings = parts({ geometry }).map((part) => unwrappedRing(part[0]));
      const largest = rings.reduce((best, ring) => (area(ring) > area(best) ? ring : best));
      const [lon, lat] = middle(largest);
      return {
        type: "Feature",
        properties: { name: properties.name, rank: Math.round(Math.sqrt(area(largest)) * 10) },
        geometry: { type: "Point", coordinates: [round(((lon + 540) % TURN) - 180), round(lat)] },
      };
    }),
  };
}

function round(degrees) {
  return Math.round(degrees * 100) / 100;
}

function signedArea(ring) {
  return ring.reduce((sum, [x, y], place) => {
    const [nextX, nextY] = ring[(place + 1) % ring.length];
    return sum + (x * nextY - nextX * y) / 2;
  }, 0);
}

function area(ring) {
  return Math.abs(signedArea(ring));
}

function middle(ring) {
  const whole = signedArea(ring);
  const sum = ring.reduce(
    ([sumX, sumY], [x, y], place) => {
      const [nextX, nextY] = ring[(place + 1) % ring.length];
      const cross = x * nextY - nextX * y;
      return [sumX + (x + nextX) * cross, sumY + (y + nextY) * cross];
    },
    [0, 0],
  );
  return sum.map((each) => each / (6 * whole));
}
