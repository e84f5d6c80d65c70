-- expect: returns 3
local n = 0
local function up() n = n + 1 return n end
up() up()
return up()
