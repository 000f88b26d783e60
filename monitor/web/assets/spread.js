// Where marks and their names stand on a screen: none hides another, and no name is cut by the edge of the map.
import { MercatorCoordinate } from "maplibre-gl";

export const TILE = 512; // pixels round the earth at zoom 0
const APART = 18; // pixels from the middle of a mark to that of its neighbour
const ROUNDS = 40;
export const LETTERS = 13;
export const NAME_EMS = 11;
const CENTRED = (NAME_EMS / 2) * LETTERS + 6;
const BESIDE = (NAME_EMS + 1.25) * LETTERS + 4;

/** Push marks of the same spot apart until each can be seen; what stands free stays where it is. */
function apart(spots) {
  for (let round = 0, moved = true; moved && round < ROUNDS; round++) {
    moved = false;
    for (let one = 0; one < spots.length; one++)
      for (let other = one + 1; other < spots.length; other++) {
        const across = spots[other].x - spots[one].x;
        const down = spots[other].y - spots[one].y;
        if (Math.abs(across) >= APART || Math.abs(down) >= APART) continue;
        const far = Math.hypot(across, down);
        const short = (APART - far) / 2;
        if (short < 0.01) continue;
        // Those of the very same place go different ways, and the same ways each time.
        const [x, y] = far ? [across / far, down / far] : [Math.cos(other), Math.sin(other)];
        spots[one].x -= x * short;
        spots[one].y -= y * short;
        spots[other].x += x * short;
        spots[other].y += y * short;
        moved = spots[one].moved = spots[other].moved = true;
      }
  }
}

const BUTTONS = { width: 52, height: 84 }; // they zoom, at the top right

/** On which sides of its mark a name has room: `out` where the mark itself is out of sight. */
function room({ x, y }, { width, height }) {
  if (x < 0 || y < 0 || x > width || y > height) return "out";
  const end = y < BUTTONS.height + BESIDE / 2 ? width - BUTTONS.width : width;
  const [near, side] = x < end / 2 ? [x, "west"] : [end - x, "east"];
  if (near < CENTRED) return side;
  return near < BESIDE ? `near ${side}` : "";
}

/** The sites as they are drawn at this zoom; `project` says where on the screen a place stands. */
export function spread(points, zoom, screen, project) {
  const size = TILE * 2 ** zoom;
  const spots = points.features.map(({ geometry: { coordinates: [lng, lat] } }) => {
    const { x, y } = MercatorCoordinate.fromLngLat({ lng, lat });
    return { x: x * size, y: y * size, moved: false };
  });
  apart(spots);
  const features = points.features.map((each, index) => {
    const { x, y, moved } = spots[index];
    const coordinates = moved ? new MercatorCoordinate(x / size, y / size).toLngLat().toArray() : each.geometry.coordinates;
    const edge = room(project(coordinates), screen);
    return { ...each, geometry: { ...each.geometry, coordinates }, properties: { ...each.properties, edge } };
  });
  return { ...points, features };
}

const COUNTRY = { letters: 13, spacing: 0.12, ems: 10, line: 1.2, halo: 2 };
let pen;

/** The size of a country's name in pixels, as the map sets it: in capitals, spaced, in lines of at most ten letters' heights. */
function sizeOf(name, family) {
  pen ??= new OffscreenCanvas(1, 1).getContext("2d");
  pen.font = `${COUNTRY.letters}px ${family}`;
  const capitals = name.toUpperCase();
  const whole = pen.measureText(capitals).width + capitals.length * COUNTRY.spacing * COUNTRY.letters;
  const lines = Math.ceil(whole / (COUNTRY.ems * COUNTRY.letters));
  const words = capitals.split(" ").map((word) => pen.measureText(word).width + word.length * COUNTRY.spacing * COUNTRY.letters);
  // Where a line breaks is the map's choice; it is never wider than this, nor than the longest word.
  const width = lines === 1 ? whole : Math.max(COUNTRY.ems * COUNTRY.letters, ...words);
  return { width: width + 2 * COUNTRY.halo, height: lines * COUNTRY.line * COUNTRY.letters + 2 * COUNTRY.halo };
}

/** The countries whose names an edge of the map would cut, or its buttons hide; `project` says where a place stands. */
export function cut(countries, screen, project, family) {
  const within = ({ x, y }, { width, height }) =>
    x - width / 2 >= 0 && x + width / 2 <= screen.width && y - height / 2 >= 0 && y + height / 2 <= screen.height;
  const hidden = ({ x, y }, { width, height }) =>
    x + width / 2 > screen.width - BUTTONS.width && y - height / 2 < BUTTONS.height;
  const names = countries.features.filter(({ properties: { name }, geometry: { coordinates: [lon, lat] } }) => {
    const size = sizeOf(name, family);
    // The earth may be drawn more than once, side by side.
    const spots = [-360, 0, 360].map((turn) => project([lon + turn, lat]));
    const touching = spots.filter(
      ({ x, y }) =>
        Math.abs(x - screen.width / 2) < (screen.width + size.width) / 2 &&
        Math.abs(y - screen.height / 2) < (screen.height + size.height) / 2,
    );
    return touching.some((spot) => !within(spot, size) || hidden(spot, size));
  });
  return names.map((each) => each.properties.name);
}
