-- expect: returns k=v;a=b;
local s = ""
for k, v in ("k:v, a:b"):gmatch("(%w+):(%w+)") do s = s .. k .. "=" .. v .. ";" end
return s
