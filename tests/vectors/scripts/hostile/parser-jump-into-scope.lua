-- expect: malformed
goto x
local a
::x::
return a
