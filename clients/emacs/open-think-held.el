;;; open-think-held.el --- Actions that wait for a decision  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; A held action is shown whole, with buttons, and stays until it is decided:
;; by a button, by a command, or by another client.

;;; Code:

(require 'button)
(require 'json)
(require 'seq)
(require 'subr-x)

(defface open-think-held '((t :inherit warning))
  "Face of actions that wait for a decision."
  :group 'open-think)

(defface open-think-dim '((t :inherit shadow))
  "Face of remarks."
  :group 'open-think)

(defconst open-think--unseen "[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
  "Signs that could make an action look like another one.")

(defvar-local open-think--decide-function nil
  "Function of a decision, an action's id and an input or nil.")

(defvar-local open-think--actions nil
  "Actions that were held: alist of ids to plists.")

(defmacro open-think--writing (&rest body)
  "Evaluate BODY, which may write; windows at the end of the buffer stay there."
  (declare (indent 0) (debug t))
  `(let* ((inhibit-read-only t)
          (here (eobp))
          (followers (seq-filter (lambda (window) (= (window-point window) (point-max)))
                                 (get-buffer-window-list nil nil t))))
     (prog1 (save-excursion ,@body)
       (when here
         (goto-char (point-max)))
       (dolist (window followers)
         (set-window-point window (point-max))))))

(defun open-think--line (text face &rest properties)
  "Write TEXT in FACE, with PROPERTIES, as lines of its own at the end."
  (open-think--writing
    (goto-char (point-max))
    (unless (bolp)
      (insert "\n"))
    (insert (apply #'propertize text 'face face properties) "\n")))

(defun open-think--json (value &optional pretty)
  "VALUE, which came as JSON, as JSON text; on several lines if PRETTY."
  (let ((json-encoding-pretty-print pretty)
        (json-false :json-false))
    (replace-regexp-in-string open-think--unseen (lambda (sign) (format "\\u%04x" (aref sign 0)))
                              (if value (json-encode value) "{}")
                              t t)))

(defun open-think--render-held (turn action id)
  "Write ACTION of TURN, which has this ID and waits for a decision."
  (let ((reason (plist-get action :reason)))
    (push (list id :turn turn :use (plist-get action :toolUseId) :open t :input (plist-get action :input))
          open-think--actions)
    (open-think--line (format "Held: %s%s" (plist-get action :skill) (if reason (format ", %s" reason) ""))
                      'open-think-held 'open-think-action id)
    (open-think--line (open-think--json (plist-get action :input) t) 'default 'open-think-action id)
    (open-think--line " " 'default 'open-think-action id 'open-think-buttons id)
    (open-think--render-undecided id)))

(defun open-think--render-undecided (id)
  "Offer the buttons of the action ID."
  (open-think--set-open id t)
  (open-think--replace-buttons
   id
   (lambda ()
     (insert-text-button "[Approve]" 'follow-link t 'help-echo "Run it, and go on"
                         'action (lambda (_) (funcall open-think--decide-function "approve" id nil)))
     (insert " ")
     (insert-text-button "[Deny]" 'follow-link t 'help-echo "Do not run it, and go on"
                         'action (lambda (_) (funcall open-think--decide-function "deny" id nil))))))

(defun open-think--render-decision (id text)
  "Write TEXT in place of the buttons of the action ID."
  (open-think--set-open id nil)
  (open-think--replace-buttons id (lambda () (insert (propertize text 'face 'open-think-dim)))))

(defun open-think--replace-buttons (id write)
  "Call WRITE where the buttons of the action ID are, instead of them."
  (open-think--writing
    (goto-char (point-min))
    (when-let ((start (text-property-any (point-min) (point-max) 'open-think-buttons id)))
      (goto-char start)
      (delete-region start (next-single-property-change start 'open-think-buttons nil (point-max)))
      (funcall write)
      (add-text-properties start (point) (list 'open-think-action id 'open-think-buttons id)))))

(defun open-think--settle (turn event)
  "Take the buttons off the action of TURN whose result EVENT is."
  (pcase-dolist (`(,id . ,action) open-think--actions)
    (when (and (plist-get action :open)
               (equal (plist-get action :use) (plist-get event :toolUseId))
               (member (plist-get action :turn) (list nil turn)))
      (open-think--render-decision id "decided"))))

(defun open-think--set-open (id open)
  "Remember whether the action ID is OPEN to decide."
  (when-let ((entry (assoc id open-think--actions)))
    (setcdr entry (plist-put (cdr entry) :open open))))

(defun open-think--action-here ()
  "The id of the held action at point, or else of the only one."
  (let ((here (get-text-property (point) 'open-think-action))
        (open (seq-filter (lambda (entry) (plist-get (cdr entry) :open)) open-think--actions)))
    (cond ((assoc here open) here)
          (here (user-error "That is decided already"))
          ((null open) (user-error "No action waits for a decision here"))
          ((cdr open) (user-error "Several actions wait: move to one of them"))
          (t (caar open)))))

(provide 'open-think-held)
;;; open-think-held.el ends here
