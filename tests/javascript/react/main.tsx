import { createRoot } from "react-dom/client";
import { createClips } from "./clips.js";
import { CreateVideoDialog } from "./dialog.js";

const parameters = new URLSearchParams(location.search);
const clips = createClips({ url: parameters.get("url") ?? "" });
const place = document.getElementById("root");
if (place) {
  const root = createRoot(place);
  root.render(
    <CreateVideoDialog
      clips={clips}
      projectId={parameters.get("project") ?? ""}
      onClose={() => root.unmount()}
    />,
  );
}
