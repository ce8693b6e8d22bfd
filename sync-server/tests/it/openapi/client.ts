// Reads a relay with types that were generated from its OpenAPI description; prints what it read as JSON.
import createClient from "openapi-fetch";
import type { paths } from "./generated.js";

declare const process: { argv: string[] };
const [relay, token, id] = process.argv.slice(2) as [string, string, string];
const anybody = createClient<paths>({ baseUrl: relay });
const anna = createClient<paths>({ baseUrl: relay, headers: { authorization: `Bearer ${token}` } });

function need<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const feed = need(await anybody.GET("/v1/feed/public", { params: { query: { limit: 1 } } }));
const rest = need(await anybody.GET("/v1/feed/public", { params: { query: { limit: 1, after: feed.next ?? "" } } }));
const drive = need(await anybody.GET("/v1/drives/{id}", { params: { path: { id } } }));
const unknown = { params: { path: { id: "00000000-0000-0000-0000-000000000000" } } };
const refusal = (await anybody.GET("/v1/drives/{id}", unknown)).error;
const stats = need(await anna.GET("/v1/me/stats"));
const home = need(await anna.GET("/v1/me/feed"));
const jsonFeed = need(await anybody.GET("/v1/feed/public.json"));
const roads = need(await anybody.GET("/v1/roads", { params: { query: { bbox: "0,0,1,1" } } }));

console.log(
  JSON.stringify({
    titles: [...feed.drives, ...rest.drives].map((item) => item.title),
    distanceM: feed.drives[0]?.stats.distanceM,
    lines: drive.geometry.coordinates.length,
    parts: drive.properties.parts.map((part) => part.elapsedMs.length),
    refusal: refusal?.error.code,
    jsonFeed: jsonFeed.items.map((item) => item.title),
    home: home.items.map((item) => item.kind),
    own: need(await anna.GET("/v1/me/drives")).drives.map((item) => item.title),
    months: "months" in stats ? stats.months.map((month) => month.drives) : [],
    person: need(await anybody.GET("/v1/people/{person}", { params: { path: { person: "anna" } } })).handle,
    roads: roads.features.length,
    unauthorized: (await anybody.GET("/v1/me/drives")).error?.error.code,
  }),
);
