;;; open-think-render.el --- How a session with Helm looks  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; Writes events and earlier messages into the current buffer.
;; What this version does not know is written as a dim line, or passed over.

;;; Code:

(require 'seq)
(require 'subr-x)
(require 'open-think-held)

(defface open-think-user '((t :inherit font-lock-keyword-face :weight bold))
  "Face of what you said."
  :group 'open-think)

(defface open-think-assistant '((t :inherit font-lock-function-name-face :weight bold))
  "Face of the line above what Helm says."
  :group 'open-think)

(defface open-think-tool '((t :inherit font-lock-type-face))
  "Face of skills that run."
  :group 'open-think)

(defface open-think-error '((t :inherit error))
  "Face of what went wrong."
  :group 'open-think)

(defconst open-think--longest-result 400
  "Characters of a skill's result that are shown.")

(defvar-local open-think--blocks nil
  "Text that is being written: alist of (TURN KIND INDEX) to a pair of markers.")

(defvar-local open-think--told-errors nil
  "The errors that were told since something was last asked.")

(defun open-think--heading (text face)
  "Write TEXT in FACE with an empty line above."
  (open-think--line (if (bobp) text (concat "\n" text)) face))

(defun open-think--render-clear ()
  "Forget all that is shown."
  (open-think--writing
    (erase-buffer))
  (setq open-think--blocks nil
        open-think--actions nil
        open-think--told-errors nil))

(defun open-think--render-note (text)
  "Write the remark TEXT."
  (open-think--line text 'open-think-dim))

(defun open-think--render-user (text)
  "Write TEXT, which the user said."
  (open-think--heading "You" 'open-think-user)
  (open-think--line text 'default))

(defun open-think--render-error (failure)
  "Write FAILURE, which may come both as an event and as an answer."
  (let ((message (plist-get failure :message))
        (hint (plist-get (plist-get failure :data) :hint)))
    (unless (member message open-think--told-errors)
      (push message open-think--told-errors)
      (open-think--line (concat "Error: " message (when hint (concat "\n" hint)))
                        'open-think-error))))

(defun open-think--shortened (text)
  "TEXT on one line, and no longer than `open-think--longest-result'."
  (truncate-string-to-width (string-trim (replace-regexp-in-string "[ \t\n\r]+" " " text))
                            open-think--longest-result nil nil "…"))

;;; Earlier messages

(defun open-think--render-history (messages held)
  "Write MESSAGES and the actions that are HELD, both vectors."
  (open-think--render-clear)
  (seq-do #'open-think--render-message messages)
  (seq-do (lambda (action) (open-think--render-held nil action (plist-get action :id))) held))

(defun open-think--render-message (message)
  "Write MESSAGE, a `SessionMessage'."
  (let ((text (plist-get message :content))
        (role (plist-get message :role)))
    (unless (string-blank-p (or text ""))
      (pcase role
        ("user" (open-think--render-user text))
        ("assistant"
         (open-think--heading (open-think--helm (plist-get message :provider) nil) 'open-think-assistant)
         (open-think--line text 'default))
        (_ (open-think--line text 'open-think-dim)))))
  (seq-do (lambda (block)
            (pcase (plist-get block :type)
              ("tool-call" (open-think--render-call (plist-get block :skill) (plist-get block :input)))
              ("tool-result"
               (open-think--render-result (plist-get block :skill) (eq t (plist-get block :ok)) nil
                                          (plist-get block :content)))))
          (plist-get message :blocks)))

;;; Events

(defun open-think--helm (provider model)
  "The line above an answer of PROVIDER and MODEL, which may be nil."
  (concat "Helm" (when provider (format ", %s" provider)) (when model (format " %s" model))))

(defun open-think--render-event (turn event)
  "Write EVENT of the turn with the id TURN."
  (let ((index (plist-get event :index))
        (text (plist-get event :text)))
    (pcase (plist-get event :kind)
      ("turn-start"
       (when (eql 1 (plist-get event :iteration))
         (open-think--heading (open-think--helm (plist-get event :provider) (plist-get event :model))
                              'open-think-assistant)))
      ("text-start" (open-think--block turn 'text index))
      ("text-delta" (open-think--grow (open-think--block turn 'text index) text 'default))
      ("text-stop" (open-think--close turn index text))
      ("reasoning-delta" (open-think--grow (open-think--block turn 'reasoning index) text 'open-think-dim))
      ((or "tool-use-start" "tool-use-input"))
      ("tool-use-stop" (open-think--render-call (plist-get event :name) (plist-get event :input)))
      ("tool-result"
       (open-think--settle turn event)
       (open-think--render-result (plist-get event :skill) (eq t (plist-get event :ok))
                                  (plist-get event :durationMs)
                                  (or (plist-get event :error) (open-think--json (plist-get event :data)))))
      ("tool-held" (open-think--render-held turn event (plist-get event :actionId)))
      ("attempt-failed"
       (open-think--void turn)
       (open-think--line (format "%s failed: %s"
                                 (string-join (delq nil (list (plist-get event :provider) (plist-get event :model))) " ")
                                 (plist-get event :error))
                         'open-think-error))
      ("turn-stop" (open-think--forget turn))
      ("loop-done" (open-think--render-end turn event))
      ("error" (open-think--render-error (plist-get event :error)))
      (kind (open-think--render-note (format "(%s)" kind))))))

(defun open-think--render-call (skill input)
  "Write that SKILL is called with INPUT."
  (open-think--line (format "→ %s %s" skill (open-think--shortened (open-think--json input))) 'open-think-tool))

(defun open-think--render-result (skill ok milliseconds text)
  "Write that SKILL has given TEXT after MILLISECONDS; it has failed unless OK."
  (open-think--line (format (if ok "✓ %s%s" "✗ %s%s") skill
                            (if milliseconds (format ", %d ms" milliseconds) ""))
                    (if ok 'open-think-tool 'open-think-error))
  (open-think--line (concat "  " (open-think--shortened (or text "")))
                    (if ok 'open-think-dim 'open-think-error)))

(defun open-think--render-end (turn event)
  "Write what is new in EVENT, the end of TURN."
  (let* ((result (plist-get event :result))
         (reason (plist-get event :stopReason)))
    (open-think--forget turn)
    (seq-do (lambda (action)
              (unless (assoc (plist-get action :id) open-think--actions)
                (open-think--render-held turn action (plist-get action :id))))
            (plist-get result :suggestedActions))
    (dolist (remark (list (plist-get result :downgradeReason) (plist-get result :refusal)))
      (when remark
        (open-think--render-note remark)))
    (unless (member reason '("end-turn" "dangerous-skill" "error"))
      (open-think--render-note (format "(%s)" reason)))))

;;; Text that grows

(defun open-think--block (turn kind index)
  "The place, a pair of markers, of the text INDEX of KIND in TURN."
  (let ((key (list turn kind index)))
    (or (cdr (assoc key open-think--blocks))
        (open-think--writing
          (goto-char (point-max))
          (unless (bolp)
            (insert "\n"))
          (insert "\n")
          (let ((place (cons (copy-marker (1- (point))) (copy-marker (1- (point)) t))))
            (push (cons key place) open-think--blocks)
            place)))))

(defun open-think--grow (place text face)
  "Write TEXT in FACE at the end of PLACE."
  (open-think--writing
    (goto-char (cdr place))
    (insert (propertize text 'face face))))

(defun open-think--close (turn index text)
  "The text INDEX of TURN is complete, and is TEXT."
  (let ((place (open-think--block turn 'text index)))
    (unless (equal text (buffer-substring-no-properties (car place) (cdr place)))
      (open-think--writing
        (delete-region (car place) (cdr place)))
      (open-think--grow place text 'default))
    (setq open-think--blocks (assoc-delete-all (list turn 'text index) open-think--blocks))))

(defun open-think--void (turn)
  "Take away what TURN has not ended to write."
  (open-think--writing
    (pcase-dolist (`((,whose . ,_) . (,start . ,end)) open-think--blocks)
      (when (equal whose turn)
        (delete-region start (min (1+ end) (point-max))))))
  (open-think--forget turn))

(defun open-think--forget (turn)
  "Let go of the places of TURN."
  (setq open-think--blocks (seq-remove (lambda (entry) (equal turn (caar entry))) open-think--blocks)))

(provide 'open-think-render)
;;; open-think-render.el ends here
