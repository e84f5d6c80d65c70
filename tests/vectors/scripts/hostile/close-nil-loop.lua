-- expect: steps
local x <close> = nil
while true do end
