// What to call a device that nobody named: by what its browser says that it runs on.

const SYSTEMS: [RegExp, string][] = [
  [/iPhone/, "iPhone"],
  [/iPad/, "iPad"],
  [/Android/, "Android phone"],
  [/Mac OS/, "Mac"],
  [/Windows/, "Windows computer"],
  [/CrOS/, "Chromebook"],
  [/Linux/, "Linux computer"],
];

export function guessedName(userAgent: string = navigator.userAgent): string {
  return SYSTEMS.find(([says]) => says.test(userAgent))?.[1] ?? "Device";
}
